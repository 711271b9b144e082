import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './local-config.ts'

/** Plays the demo as a program of its own, and returns its exit code. */
export function runDemo(stop: AbortSignal): Promise<number> {
  const args = ['--disable-warning=TimeoutNegativeWarning', join(ROOT, 'local', 'src', 'demo.ts')]
  const child = spawn(process.execPath, args, { stdio: 'inherit', signal: stop })
  return new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
