import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess, isProcess } from '@streamledger/engines'

/** A process that the next run must end if this one is killed. */
export interface Recorded {
  readonly pid: number
  /** What its command line holds: a pid may be somebody else's by then. */
  readonly words: readonly string[]
  readonly signal: NodeJS.Signals
}

export interface BenchLock {
  record(process: Recorded): void
  release(): void
}

interface LockContent {
  pid: number
  processes: Recorded[]
}

const HOLDER_WORDS = ['bench/src/main.ts']
const END_DEADLINE_MS = 10_000

/**
 * Two benches at once would measure each other, so there is one at a time; what a killed one left behind is ended.
 *
 * @throws Error, one line, while another bench runs.
 */
export async function takeLock(dir: string): Promise<BenchLock> {
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'bench.lock')
  const holder = readLock(file)
  if (holder && holder.pid !== process.pid && isProcess(holder.pid, HOLDER_WORDS)) {
    throw new Error(`Another bench is running (pid ${holder.pid}): wait for its end, or stop it.`)
  }
  for (const { pid, words, signal } of holder?.processes ?? []) {
    await endProcess(pid, { words, signal, deadlineMs: END_DEADLINE_MS })
  }
  const content: LockContent = { pid: process.pid, processes: [] }
  const write = () => writeFileSync(file, `${JSON.stringify(content)}\n`, { mode: 0o600 })
  write()
  return {
    record: (recorded) => {
      content.processes.push(recorded)
      write()
    },
    release: () => rmSync(file, { force: true }),
  }
}

function readLock(file: string): LockContent | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockContent
  } catch {
    return undefined // there is none, or it was cut off while it was written
  }
}
