import { spawn } from 'node:child_process'
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface RunSchemathesis {
  /** Of the virtual environment that it is installed in. */
  readonly python: string
  readonly config: string
  readonly url: string
  readonly token: string | undefined
  readonly seed: number
  readonly examples: number
  /** The folder of its database, which is deleted before a run, so that a run depends on its seed alone. */
  readonly dir: string
  readonly outputFile: string
  readonly signal: AbortSignal
}

/** The promise is one second; this allows more, for a busy machine. */
const RESPONSE_TIME_MAX_S = 5

/** Runs it to its end. Returns its exit code: 0 if it found nothing. */
export async function runSchemathesis(options: RunSchemathesis): Promise<number> {
  const { python, config, url, token, seed, examples, dir, outputFile, signal } = options
  rmSync(join(dir, '.schemathesis'), { recursive: true, force: true })
  const args = [
    ...['-m', 'schemathesis.cli', '--config-file', config, 'run', `${url}/openapi.json`],
    ...['--seed', String(seed), '--max-examples', String(examples), '--max-response-time', String(RESPONSE_TIME_MAX_S)],
    // One worker, so that the order of requests is the same each time.
    ...['--workers', '1', '--generation-database', 'none', '--continue-on-failure', '--no-color'],
    ...(token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`]),
  ]
  const output = openSync(outputFile, 'w')
  try {
    const child = spawn(python, args, { cwd: dir, stdio: ['ignore', output, output], detached: true })
    const stop = () => void child.kill('SIGTERM')
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await new Promise((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code) => resolve(code ?? 1))
      })
    } finally {
      signal.removeEventListener('abort', stop)
    }
  } finally {
    closeSync(output)
  }
}
