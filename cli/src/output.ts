// The only file that writes to a terminal.

export interface Output {
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
}

/** Tells how far a command is; says nothing where nobody looks. */
export interface Progress {
  /** May be called as often as one likes: it is shown a few times a second at most. */
  report(line: () => string): void
  /** Takes the line away, so that what follows begins in an empty one. */
  clear(): void
}

const TERMINAL_INTERVAL_MS = 100
/** Without a terminal each report is a line that stays, in a log perhaps. */
const LINES_INTERVAL_MS = 1_000
const CLEAR_LINE = '\r\u001b[K'

export function createProgress(stderr: NodeJS.WriteStream, { forced }: { forced: boolean }): Progress {
  if (!stderr.isTTY && !forced) return { report: () => {}, clear: () => {} }
  const intervalMs = stderr.isTTY ? TERMINAL_INTERVAL_MS : LINES_INTERVAL_MS
  let shownAt = Number.NEGATIVE_INFINITY
  return {
    report(line) {
      const now = performance.now()
      if (now - shownAt < intervalMs) return
      shownAt = now
      if (!stderr.isTTY) return void stderr.write(`${line()}\n`)
      stderr.write(`${CLEAR_LINE}${line().slice(0, Math.max(1, stderr.columns - 1))}`)
    },
    clear() {
      if (stderr.isTTY && shownAt > 0) stderr.write(CLEAR_LINE)
    },
  }
}

/** Resolves when the text is on its way: a process that exits before would cut a pipe short. */
export function writeText(stream: NodeJS.WriteStream, text: string): Promise<void> {
  // Whoever reads may stop early, as `head` does: that is no fault of the command's.
  return new Promise((resolve) => {
    stream.once('error', () => resolve())
    stream.write(text.endsWith('\n') ? text : `${text}\n`, () => resolve())
  })
}
