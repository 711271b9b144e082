import { execFile } from 'node:child_process'

const OUTPUT_BYTES_MAX = 64 * 2 ** 20
const TAIL_LINES = 40
const TIMEOUT_MS = 120_000

export type RunOptions = { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number }

/** Runs a program to its end and returns what it wrote to stdout; a failure comes with the end of all that it wrote. */
export function runToEnd(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env = process.env, timeoutMs = TIMEOUT_MS } = options
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { ...(cwd ? { cwd } : {}), env, timeout: timeoutMs, maxBuffer: OUTPUT_BYTES_MAX },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        const why = error.killed ? `not within ${timeoutMs} ms` : (error.message.split('\n')[0] ?? '')
        const tail = `${stdout}${stderr}`.trimEnd().split('\n').slice(-TAIL_LINES).join('\n')
        reject(new Error(`${command} ${args.join(' ')}: ${why}\n${tail}`, { cause: error }))
      },
    )
  })
}

export type DockerCli = {
  readonly env: NodeJS.ProcessEnv
  /** `docker <args>`, against the engine of this run. */
  run(args: readonly string[], options?: RunOptions): Promise<string>
}

export function createDockerCli(env: NodeJS.ProcessEnv): DockerCli {
  return { env, run: (args, options) => runToEnd('docker', args, { ...options, env: { ...env, ...options?.env } }) }
}
