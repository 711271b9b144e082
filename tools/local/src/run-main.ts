import { join } from 'node:path'
import type { Exit } from '@streamledger/engines'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

/** Runs a program of another folder. */
export function runMain(path: string, args: readonly string[], env = process.env): Promise<Exit> {
  // kafkajs 2.2.4 sets timers in the past, and Node 26 warns about each of them.
  const flags = ['--disable-warning=TimeoutNegativeWarning', join(ROOT, path)]
  return runProgram(process.execPath, [...flags, ...args], env)
}

if (import.meta.main) {
  const [path = '', ...args] = process.argv.slice(2)
  const { code } = await runMain(path, args)
  process.exit(code ?? 1)
}
