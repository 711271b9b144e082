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

/** How long a command that was stopped waits for a reader of its output. */
const STOPPED_TIMEOUT_MS = 2_000

/**
 * Resolves when the text is written: a process that exits earlier would lose the end of it in a pipe. Resolves with the
 * error if it cannot be written. A reader may take its time, as a pager does, until the command is stopped.
 */
export function writeText(
  stream: NodeJS.WriteStream,
  text: string,
  stopped?: AbortSignal,
): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const giveUp = () => void setTimeout(() => resolve(undefined), STOPPED_TIMEOUT_MS)
    if (stopped?.aborted) giveUp()
    else stopped?.addEventListener('abort', giveUp, { once: true })
    stream.write(text.endsWith('\n') ? text : `${text}\n`, (error) => {
      // The reader may close the pipe early, as `head` does. That is not an error of the command.
      const failure = error as NodeJS.ErrnoException | null | undefined
      resolve(failure && failure.code !== 'EPIPE' ? failure : undefined)
    })
  })
}
