import { createWriteStream, mkdirSync, renameSync, type WriteStream } from 'node:fs'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'

const FILE_BYTES_MAX = 20_000_000
// Enough to see the problem. Without a limit, a database that is down would fill the screen.
const SHOWN_LINES_MAX = 5
const SHOWN_WINDOW_MS = 10_000
const TAIL_LINES = 10

export type ServiceLog = {
  /** Reads the output of a process until it ends. */
  follow(output: Readable): void
  /** The last lines that were errors or not log lines, such as a crash report of Node. */
  tail(): string
  note(line: string): void
}

/** Writes the log of a service to a file of limited size, with one older file beside it, and shows its errors. */
export function createServiceLog(file: string, show: (line: string) => void): ServiceLog {
  mkdirSync(dirname(file), { recursive: true })
  let stream = createWriteStream(file)
  let bytes = 0
  const tail: string[] = []
  const showSome = limitRate(show)

  const write = (line: string) => {
    bytes += line.length + 1
    if (bytes > FILE_BYTES_MAX) {
      stream = rotate(stream, file)
      bytes = line.length + 1
    }
    stream.write(`${line}\n`)
  }
  const take = (line: string) => {
    write(line)
    const problem = describeProblem(line)
    if (problem) showSome(problem)
    if (problem || !line.startsWith('{')) tail.push(problem ?? line)
    if (tail.length > TAIL_LINES) tail.shift()
  }
  return {
    follow: (output) => void createInterface({ input: output }).on('line', take),
    tail: () => tail.splice(0).join('\n'),
    note: write,
  }
}

function rotate(stream: WriteStream, file: string): WriteStream {
  stream.end()
  renameSync(file, `${file}.1`)
  return createWriteStream(file)
}

/** The message and reason of a JSON line of level error or fatal; undefined for any other line. */
export function describeProblem(line: string): string | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { level, msg, err } = JSON.parse(line) as { level?: unknown; msg?: unknown; err?: { message?: unknown } }
    if (level !== 'error' && level !== 'fatal') return undefined
    const reason = typeof err?.message === 'string' ? err.message : ''
    const what = typeof msg === 'string' ? msg : ''
    return what.includes(reason) ? what : [what, reason].filter((part) => part !== '').join(': ')
  } catch {
    return undefined
  }
}

function limitRate(show: (line: string) => void): (line: string) => void {
  let windowStart = Number.NEGATIVE_INFINITY
  let shown = 0
  return (line) => {
    const now = performance.now()
    if (now - windowStart > SHOWN_WINDOW_MS) [windowStart, shown] = [now, 0]
    shown += 1
    if (shown <= SHOWN_LINES_MAX) show(line)
    else if (shown === SHOWN_LINES_MAX + 1) show('more errors are in its log')
  }
}
