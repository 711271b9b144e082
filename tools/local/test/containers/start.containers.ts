import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readTopic } from '@streamledger/engines'
import { waitFor } from '@streamledger/testkit/wait-for'
import { expect, inject, onTestFailed, onTestFinished, test } from 'vitest'
import { ROOT } from '../../src/local-config.ts'
import { readStack } from '../../src/stack-file.ts'
import { playStory } from '../play-story.ts'
import { createComposeProject } from './compose-project.ts'

const UP_DEADLINE_MS = 180_000
const OURS = ['api', 'relay', 'exporter']

test('STACK=docker npm start brings the stack up, a story is played through it, and Ctrl-C stops it in order', async () => {
  const project = await createComposeProject(inject('dockerEnv'), inject('images'))
  const localDir = mkdtempSync(join(tmpdir(), 'docker-start-'))
  const env = { ...project.env, STACK: 'docker', LOCAL_DIR: localDir }
  const child = spawn(process.execPath, [join(ROOT, 'tools/local/src/start.ts'), '--relay', '2'], { env })
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  onTestFailed(() => console.log(output))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await project.compose('down', '--volumes', '--timeout', '1')
    rmSync(localDir, { recursive: true })
  })

  const stack = await waitFor(
    () => (child.exitCode === null ? (readStack(localDir) ?? expect.fail('not up yet')) : undefined),
    { timeoutMs: UP_DEADLINE_MS },
  )
  if (!stack) return expect.fail(output)
  await playStory({
    origin: stack.api[0] ?? '',
    readTopic: (isEnough) => readTopic(stack.kafkaBrokers ?? '', stack.topic, isEnough ? { isEnough } : {}),
  })
  child.kill('SIGINT')
  expect(await exited).toBe(0)
  for (const service of OURS) {
    const container = await project.inspect(service)
    expect({ service, state: container?.State }).toMatchObject({ service, state: { Status: 'exited', ExitCode: 0 } })
  }
})
