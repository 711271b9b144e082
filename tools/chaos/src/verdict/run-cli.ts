import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

const MAIN = resolve(import.meta.dirname, '../../../../cli/src/main.ts')
const ROOT = resolve(import.meta.dirname, '../../../..')
const DEADLINE_MS = 600_000

/** The parts of the output of `streamledger … --json` that a verdict needs. */
export interface CliAnswer {
  ok: boolean
  faults?: Record<string, number>
  examples?: { kind?: string; message: string }[]
  checked?: Record<string, number>
  events?: number
  waiting?: number
  unjudged?: unknown[]
  error?: { message: string }
}

export interface CliEnv {
  readonly databaseUrl: string
  readonly brokers: string
  /** More variables, as the services have them. */
  readonly more?: Readonly<Record<string, string>>
}

/** Runs the CLI like an operator. @throws Error if the command failed to do its work */
export async function runCli(args: readonly string[], env: CliEnv): Promise<CliAnswer> {
  const { code, text } = await spawnCli([...args, '--json'], env)
  const what = `streamledger ${args.join(' ')}`
  if (text === '') throw new Error(`${what} ended with ${code} without output`)
  const answer = JSON.parse(text) as CliAnswer
  if (answer.error) throw new Error(`${what}: ${answer.error.message}`)
  // If exit code and output contradict each other, the command is faulty, and the verdict must not rely on it.
  if ((code === 0) !== answer.ok) throw new Error(`${what} ended with ${code}, but its output has ok: ${answer.ok}`)
  return answer
}

/** Its output as text, and its exit code. */
export async function spawnCli(args: readonly string[], { databaseUrl, brokers, more }: CliEnv) {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', MAIN, ...args], {
    cwd: ROOT,
    env: { ...process.env, ...more, DATABASE_URL: databaseUrl, KAFKA_BROKERS: brokers },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: DEADLINE_MS,
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return { code, text }
}
