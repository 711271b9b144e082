import { spawn } from 'node:child_process'

export interface ProgramOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Ends it when the bench is stopped. */
  readonly signal: AbortSignal
  /** Called as soon as it runs. */
  readonly onPid?: (pid: number) => void
}

const ERROR_CHARACTERS_MAX = 2_000

/**
 * Runs a load generator to its end and returns what it wrote.
 *
 * @throws Error with its last words, if it fails.
 */
export function runProgram(command: string, args: readonly string[], options: ProgramOptions): Promise<string> {
  const { env = process.env, cwd, signal, onPid } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, signal, stdio: ['ignore', 'pipe', 'pipe'], ...(cwd ? { cwd } : {}) })
    let output = ''
    let complaints = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaints += text
    })
    if (child.pid !== undefined) onPid?.(child.pid)
    child.once('error', reject)
    child.once('close', (code, killedBy) => {
      if (code === 0) return resolve(output)
      const lastWords = (complaints || output).slice(-ERROR_CHARACTERS_MAX).trim()
      reject(new Error(`${command} ended with ${killedBy ?? `code ${code}`}: ${lastWords}`))
    })
  })
}

/** Reads the one line of JSON that our generators end with. */
export function readResultLine<Result>(output: string): Result {
  const line = /^RESULT (.*)$/m.exec(output)?.[1]
  if (line === undefined) throw new Error(`the load generator gave no result: ${output.slice(-ERROR_CHARACTERS_MAX)}`)
  return JSON.parse(line) as Result
}
