import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pickFreePort } from '@streamledger/engines'
import { expect, onTestFinished, test, vi } from 'vitest'
import { readStack } from '../src/stack-file.ts'

const START = join(import.meta.dirname, '..', 'src', 'start.ts')

test('STACK=docker has compose bring the stack up, says where it is, and has compose stop it', async () => {
  const localDir = mkdtempSync(join(tmpdir(), 'docker-'))
  const port = await pickFreePort()
  const api = createServer((_request, response) => response.end('{}')).listen(port, '127.0.0.1')
  const calls = join(localDir, 'calls')
  const path = `${join(import.meta.dirname, 'fixtures')}:${process.env.PATH}`
  const env = { PATH: path, STACK: 'docker', PORT: String(port), LOCAL_DIR: localDir, DOCKER_CALLS: calls }
  const child = spawn(process.execPath, [START, '--relay', '3'], { env, stdio: 'ignore' })
  const exited = new Promise((resolve) => child.once('close', resolve))
  onTestFinished(() => {
    child.kill('SIGKILL')
    api.close()
    rmSync(localDir, { recursive: true })
  })

  const stack = await vi.waitFor(() => readStack(localDir) ?? expect.fail('not up'), { timeout: 15_000 })
  expect(stack).toMatchObject({ api: [`http://127.0.0.1:${port}`], kafkaBrokers: '127.0.0.1:19092' })
  child.kill('SIGINT')
  expect(await exited).toBe(0)
  expect(readStack(localDir)).toBeUndefined()
  const composed = readFileSync(calls, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('compose'))
  expect(composed.map((line) => line.replace(/secret=\d+$/, 'secret'))).toEqual([
    `compose version PORT=${port} id=0 secret`,
    `compose up --build --detach --scale api=1 --scale relay=3 --scale exporter=1 PORT=${port} id=36 secret`,
    `compose stop PORT=${port} id=36 secret`,
  ])
})
