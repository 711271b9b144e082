import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLineOf, pickFreePort, signalProcess } from '@streamledger/engines'
import { pickAmbientEnv } from '@streamledger/testkit'
import { expect, inject, onTestFinished, test, vi } from 'vitest'
import { readStack, type Stack } from '../src/stack-file.ts'

const START = join(import.meta.dirname, '..', 'src', 'start.ts')
const UP_TIMEOUT_MS = 30_000

type Started = { child: ChildProcess; output: () => string; exited: Promise<number | null> }

/** A stack in a folder of its own: its PostgreSQL and one exporter, which is enough to leave behind or to recover. */
async function makeStack() {
  const localDir = mkdtempSync(join(tmpdir(), 'start-'))
  const ports = {
    POSTGRES_PORT: await pickFreePort(),
    OPS_PORT: await pickFreePort(),
    KAFKA_PORT: await pickFreePort(),
  }
  const texts = Object.entries(ports).map(([name, port]) => [name, String(port)])
  const env = { ...pickAmbientEnv(), LOCAL_DIR: localDir, ...Object.fromEntries(texts) }
  const children: ChildProcess[] = []
  onTestFinished(async () => {
    for (const child of children) child.kill('SIGKILL')
    for (const { pid } of readStack(localDir)?.processes ?? []) signalProcess(pid, 'SIGKILL')
    rmSync(localDir, { recursive: true, force: true, maxRetries: 10 })
  })
  const start = (extra: Record<string, string> = {}, ...args: string[]): Started => {
    const child = spawn(process.execPath, [START, '--api', '0', ...args], { env: { ...env, ...extra } })
    children.push(child)
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (more) => {
        text += more
      })
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
    return { child, output: () => text, exited }
  }
  return { localDir, start }
}

async function untilUp(localDir: string, { output, child }: Started): Promise<Stack> {
  return vi.waitFor(
    (): Stack => {
      const stack = readStack(localDir)
      if (stack && stack.processes[0]?.pid === child.pid) return stack
      throw new Error(`not up:\n${output()}`)
    },
    { timeout: UP_TIMEOUT_MS },
  )
}

const livingOf = (stack: Stack) => stack.processes.filter(({ pid }) => commandLineOf(pid) !== undefined)

test('a start after a kill ends what was left, keeps who it is, and stops without leaving anything', async () => {
  const { localDir, start } = await makeStack()
  const usingKafka = { KAFKA_BROKERS: inject('brokers') }
  const first = start(usingKafka, '--relay', '0')
  const before = await untilUp(localDir, first)
  first.child.kill('SIGKILL')
  await first.exited
  expect(livingOf(before).map(({ name }) => name)).toEqual(['postgres', 'exporter-1'])

  const second = start(usingKafka, '--relay', '0')
  const after = await untilUp(localDir, second)
  expect(second.output()).toContain('ended processes of an earlier run: exporter-1')
  expect(livingOf(before)).toEqual([])
  expect(after.databaseUrl).toBe(before.databaseUrl)

  const third = start(usingKafka)
  expect(await third.exited).toBe(1)
  expect(third.output()).toContain(`StreamLedger is running here already (pid ${second.child.pid}`)

  second.child.kill('SIGINT')
  expect(await second.exited).toBe(0)
  expect(livingOf(after)).toEqual([])
  expect(readdirSync(localDir)).not.toContain('supervisor.lock')
  expect(existsSync(join(localDir, 'stack.json'))).toBe(false)
})

test('without Java there is one clear line, no relay, and everything else', async () => {
  const { localDir, start } = await makeStack()
  const started = start({ JAVA_HOME: '/nonexistent' })
  const stack = await untilUp(localDir, started)
  expect(stack.kafkaBrokers).toBeNull()
  expect(stack.processes.map(({ role }) => role)).toEqual(['supervisor', 'postgres', 'exporter'])
  expect(started.output()).toContain('!  Java 17 or newer was not found.')
  // The screen comes after the file.
  await vi.waitFor(() => expect(started.output()).toContain('events wait in the outbox'))
  started.child.kill('SIGTERM')
  expect(await started.exited).toBe(0)
})

test.each([
  [
    'a database that does not answer',
    { DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none', KAFKA_BROKERS: '127.0.0.1:1' },
    'answers at DATABASE_URL',
  ],
  ['an unknown kind of stack', { STACK: 'podman' }, 'STACK is "podman"'],
  ['a Docker that is not there', { STACK: 'docker', PATH: '/nonexistent' }, 'Docker was not found: install it,'],
])('%s is refused in one line, without the password', async (_, env, message) => {
  const { start } = await makeStack()
  const started = start(env)
  expect(await started.exited).toBe(1)
  expect(started.output()).toContain(message)
  expect(started.output()).not.toMatch(/secret|\n {4}at /)
})
