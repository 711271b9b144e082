import { join } from 'node:path'
import type { Exit } from '@streamledger/engines'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

/** Runs a program of another room, with the arguments that this one was given. */
export function runMain(path: string, env = process.env): Promise<Exit> {
  // kafkajs 2.2.4 sets timers that lie in the past; Node 26 remarks on each of them.
  const flags = ['--disable-warning=TimeoutNegativeWarning', join(ROOT, path)]
  return runProgram(process.execPath, [...flags, ...process.argv.slice(2)], env)
}
