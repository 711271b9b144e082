/** Prints progress, one line per step, readable in a terminal and in a log. */
export function createScreen(stream: NodeJS.WriteStream = process.stdout) {
  const startedAt = performance.now()
  stream.on('error', () => {}) // a closed terminal must not crash the run
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
