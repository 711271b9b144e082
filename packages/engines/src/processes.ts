import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const POLL_INTERVAL_MS = 20

/** The command line of a living process; undefined if there is none, or only a zombie. */
export function commandLineOf(pid: number): string | undefined {
  if (process.platform === 'linux') {
    try {
      // A zombie's command line is empty. It holds no resources, so it counts as gone.
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() || undefined
    } catch {
      return undefined
    }
  }
  const { status, stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() || undefined : undefined
}

/**
 * True while the process lives and its command line contains all these words, so that a recycled pid does not match.
 */
export function isProcess(pid: number, words: readonly string[]): boolean {
  const commandLine = commandLineOf(pid)
  return commandLine !== undefined && words.every((word) => commandLine.includes(word))
}

/** Sends a signal; a process that is already gone is no error. */
export function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** All living processes that this one has started, and those that they have started, in groups of their own or not. */
export function listDescendants(pid: number): number[] {
  const children = Map.groupBy(listParents(), ({ parent }) => parent)
  const found: number[] = []
  const add = (of: number) => {
    for (const child of children.get(of) ?? []) {
      found.push(child.pid)
      add(child.pid)
    }
  }
  add(pid)
  return found
}

function listParents(): { pid: number; parent: number }[] {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    return stdout
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/).map(Number))
      .map(([pid = 0, parent = 0]) => ({ pid, parent }))
  }
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.flatMap((pid) => {
    try {
      // The name, in brackets, may itself hold brackets and spaces; the state and the parent follow it.
      const [, parent] = /^.*\) . (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
      return [{ pid, parent: Number(parent) }]
    } catch {
      return [] // gone meanwhile
    }
  })
}

export type EndProcessOptions = { words: readonly string[]; signal: NodeJS.Signals; deadlineMs: number }

/**
 * Ends a process that is not our child: sends the signal, waits up to the deadline, then kills it. False if it was
 * gone.
 */
export async function endProcess(pid: number, options: EndProcessOptions): Promise<boolean> {
  const lives = () => isProcess(pid, options.words)
  if (!lives()) return false
  signalProcess(pid, options.signal)
  if (await goneWithin(lives, options.deadlineMs)) return true
  signalProcess(pid, 'SIGKILL')
  await goneWithin(lives, options.deadlineMs)
  return true
}

async function goneWithin(lives: () => boolean, deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs
  while (lives()) {
    if (performance.now() > deadline) return false
    await delay(POLL_INTERVAL_MS)
  }
  return true
}
