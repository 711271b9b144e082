import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { endProcess, isProcess } from './processes.ts'

/** A process that the next run must end if this one is killed. */
export interface RecordedProcess {
  readonly pid: number
  /** What its command line holds: a pid may be somebody else's by then. */
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
  /** Where the lock is kept; it is made. */
  readonly dir: string
  /** What runs there, as its messages call it: `bench`. */
  readonly name: string
  /** The end of its command line: the folder of a program whose pid was given to another is free. */
  readonly entry: string
}

/**
 * Takes a folder for one run of a program that starts others; what a killed one left behind is ended.
 *
 * @throws Error, one line, while another one runs there.
 */
export async function takeRunLock({ dir, name, entry }: TakeRunLock): Promise<RunLock> {
  mkdirSync(dir, { recursive: true })
  const file = join(dir, `${name}.lock`)
  const holder = readLock(file)
  if (holder && holder.pid !== process.pid && isProcess(holder.pid, [entry])) {
    throw new Error(`Another ${name} is running (pid ${holder.pid}): wait for its end, or stop it.`)
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
