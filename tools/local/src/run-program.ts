import { spawn } from 'node:child_process'
import type { Exit } from '@streamledger/engines'
import { ROOT } from './local-config.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs a program in the foreground, at the root of the repository, and passes signals on to it. */
export function runProgram(command: string, args: readonly string[], env = process.env): Promise<Exit> {
  const child = spawn(command, args, { cwd: ROOT, env, stdio: 'inherit' })
  const forward = (signal: NodeJS.Signals) => void child.kill(signal)
  for (const signal of SIGNALS) process.on(signal, forward)
  // The parent process is gone, so the result is not needed any more.
  const abandon = () => void child.kill('SIGTERM')
  if (process.connected) process.once('disconnect', abandon)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      for (const name of SIGNALS) process.off(name, forward)
      process.off('disconnect', abandon)
      resolve({ code, signal })
    })
  })
}
