import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { isProcess } from '../src/processes.ts'
import { takeRunLock } from '../src/take-run-lock.ts'

let dir: string
const children: ChildProcess[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'run-lock-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

/** A process that waits, with this word in its command line. */
async function spawnWaiting(word: string): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', word], { stdio: 'ignore' })
  children.push(child)
  await vi.waitFor(() => expect(isProcess(child.pid as number, [word])).toBe(true))
  return child.pid as number
}

const take = () => takeRunLock({ dir, name: 'bench', entry: 'tools/bench/src/main.ts' })
const writeLock = (content: object) => writeFileSync(join(dir, 'bench.lock'), JSON.stringify(content))

test('a second bench is refused while the first one runs', async () => {
  const pid = await spawnWaiting('tools/bench/src/main.ts')
  writeLock({ pid, processes: [] })
  await expect(take()).rejects.toThrow(`Another bench is running (pid ${pid})`)
})

test('what a killed bench left behind is ended, and a process that only has its number is not', async () => {
  const left = await spawnWaiting('left-behind')
  const stranger = await spawnWaiting('somebody-else')
  const processes = [left, stranger].map((pid) => ({ pid, words: ['left-behind'], signal: 'SIGTERM' }))
  writeLock({ pid: 2 ** 22 + 1, processes })
  const lock = await take()
  expect(isProcess(left, ['left-behind'])).toBe(false)
  expect(isProcess(stranger, ['somebody-else'])).toBe(true)
  lock.release()
})

test('a lock that was cut off while it was written holds nobody up', async () => {
  writeFileSync(join(dir, 'bench.lock'), '{"pid":')
  const lock = await take()
  lock.release()
  const again = await take()
  again.release()
})
