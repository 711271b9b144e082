import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess, isProcess } from './processes.ts'

/** A process that the next run must end if this one is killed. */
export interface RecordedProcess {
  readonly pid: number
  /** Words of its command line, because its pid may belong to another process by then. */
  readonly words: readonly string[]
  readonly signal: NodeJS.Signals
}

export interface RunLock {
  record(process: RecordedProcess): void
  release(): void
}

interface LockContent {
  pid: number
  processes: RecordedProcess[]
}

const END_DEADLINE_MS = 10_000

export interface TakeRunLock {
  /** The folder of the lock; created if missing. */
  readonly dir: string
  /** Name of the program in messages, such as `bench`. */
  readonly name: string
  /** Part of its command line, because its pid may belong to another process by then. */
  readonly entry: string
}

/**
 * Locks a folder for one run of a program that starts other processes, and ends those that a killed run left behind.
 *
 * @throws Error, one line, while another run has the lock.
 */
export async function takeRunLock({ dir, name, entry }: TakeRunLock): Promise<RunLock> {
  mkdirSync(dir, { recursive: true })
  const file = join(dir, `${name}.lock`)
  const holder = readLock(file)
  if (holder && holder.pid !== process.pid && isProcess(holder.pid, [entry])) {
    throw new Error(`Another ${name} is running (pid ${holder.pid}): wait until it ends, or stop it.`)
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
    return undefined // there is none, or it was only partly written
  }
}
