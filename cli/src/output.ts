// The only file that writes to a terminal.

export interface Output {
  stdout: NodeJS.WriteStream
  stderr: NodeJS.WriteStream
}

/** Shows the progress of a command; silent without a terminal, unless it is forced. */
export interface Progress {
  /** May be called at any rate: at most a few lines a second are shown. */
  report(line: () => string): void
  /** Clears the line, so that the following output begins on an empty one. */
  clear(): void
}

const TERMINAL_INTERVAL_MS = 100
/** Without a terminal each report is a line of its own, perhaps in a log. */
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

/** Resolves when the text is written: a process that exits earlier would lose the end of it in a pipe. */
export function writeText(stream: NodeJS.WriteStream, text: string): Promise<void> {
  // The reader may close the pipe early, as `head` does. That is not an error of the command.
  return new Promise((resolve) => {
    stream.once('error', () => resolve())
    stream.write(text.endsWith('\n') ? text : `${text}\n`, () => resolve())
  })
}
