import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './local-config.ts'

/** Plays the demo as a program of its own. @throws Error if it failed, which also ends the start: a script must not wait for ever. */
export async function runDemo(stop: AbortSignal): Promise<void> {
  const args = ['--disable-warning=TimeoutNegativeWarning', join(ROOT, 'tools', 'local', 'src', 'demo.ts')]
  // The fourth channel brings the reason, which is shown last, after all that the stack still writes.
  const child = spawn(process.execPath, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], signal: stop })
  let reason: string | undefined
  child.on('message', (message) => {
    reason = String(message)
  })
  const end = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)))
  })
  // A demo that was ended because the stack was asked to stop has not failed.
  if (end !== undefined && !stop.aborted) throw new Error(`The demo failed: ${reason ?? end}`)
}
