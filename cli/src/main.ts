#!/usr/bin/env -S node --disable-warning=TimeoutNegativeWarning
// The entry point of the command line.
import { run } from './run.ts'

process.exitCode = await run(process.argv.slice(2), {
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  catchStop() {
    const stop = new AbortController()
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
    return stop.signal
  },
})
