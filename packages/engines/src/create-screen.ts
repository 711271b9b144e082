/** Progress for whoever waits, one line a step, so that a log reads as well as a terminal. */
export function createScreen(stream: NodeJS.WriteStream = process.stdout) {
  const startedAt = performance.now()
  stream.on('error', () => {}) // a terminal that is gone must not end the run in disorder
  const write = (text: string) => void stream.write(`${text}\n`)
  return {
    write,
    progress: (line: string) => {
      const elapsed = `${Math.round((performance.now() - startedAt) / 1_000)} s`
      write(`${elapsed.padStart(7)}  ${line}`)
    },
  }
}

export type Screen = ReturnType<typeof createScreen>
