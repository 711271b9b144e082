#!/usr/bin/env -S node --disable-warning=TimeoutNegativeWarning
// The entry point of the command line.
import { run } from './run.ts'

// Without a listener, an output that cannot be written would end the command with a stack trace.
for (const output of [process.stdout, process.stderr]) output.on('error', () => {})

const exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  catchStop() {
    const stop = new AbortController()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
    return stop.signal
  },
})
// All output that matters is written. The rest, as a progress line that has no reader, must not delay the exit.
process.exit(exitCode)
