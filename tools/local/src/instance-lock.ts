import { linkSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { isProcess } from '@streamledger/engines'
import type { StackProcess } from './stack-file.ts'
import { writeAtomically } from './write-atomically.ts'

const TAKE_ATTEMPTS_MAX = 10

export type LockContent = { readonly pid: number; readonly processes: readonly StackProcess[] }

export type InstanceLock = {
  /** Processes that a killed supervisor has left behind. */
  readonly leftovers: readonly StackProcess[]
  /** Records the processes that the next start must end if this one is killed. */
  record(processes: readonly StackProcess[]): void
  release(): void
}

/** Locks the folder for one supervisor. Takes over the lock of a dead holder; returns the pid of a live one. */
export function takeInstanceLock(localDir: string, holderWords: readonly string[]): InstanceLock | { heldBy: number } {
  mkdirSync(localDir, { recursive: true })
  const file = join(localDir, 'supervisor.lock')
  let leftovers: readonly StackProcess[] = []
  for (let attempt = 0; attempt < TAKE_ATTEMPTS_MAX; attempt++) {
    if (create(file)) {
      return {
        leftovers,
        record: (processes) => writeAtomically(file, toText({ pid: process.pid, processes })),
        release: () => rmSync(file, { force: true }),
      }
    }
    const holder = read(file)
    if (!holder) continue // released in the meantime
    if (isProcess(holder.pid, holderWords)) return { heldBy: holder.pid }
    if (discard(file, holder)) leftovers = holder.processes
  }
  throw new Error(`${file} cannot be taken: delete it if no other start is running`)
}

/** A hard link appears with its whole content, or fails because the name exists. */
function create(file: string): boolean {
  const draft = `${file}.${process.pid}.new`
  writeAtomically(draft, toText({ pid: process.pid, processes: [] }))
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Two starts may find the same stale lock. A start that moved away a newer lock than the one it checked puts it back. */
function discard(file: string, judged: LockContent): boolean {
  const aside = `${file}.${process.pid}.stale`
  try {
    renameSync(file, aside)
    if (read(aside)?.pid === judged.pid) return true
    linkSync(aside, file)
    return false
  } catch {
    return false
  } finally {
    rmSync(aside, { force: true })
  }
}

function read(file: string): LockContent | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}

const toText = (content: LockContent) => `${JSON.stringify(content)}\n`
