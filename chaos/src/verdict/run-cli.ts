import { spawn } from 'node:child_process'
import { resolve } from 'node:path'

const MAIN = resolve(import.meta.dirname, '../../../cli/src/main.ts')
const ROOT = resolve(import.meta.dirname, '../../..')
const DEADLINE_MS = 600_000

/** What `streamledger … --json` answers, as far as a verdict needs it. */
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

/** Runs the command line as an operator does. @throws Error when it could not do what it was asked for. */
export async function runCli(args: readonly string[], env: CliEnv): Promise<CliAnswer> {
  const { code, text } = await spawnCli([...args, '--json'], env)
  const what = `streamledger ${args.join(' ')}`
  if (text === '') throw new Error(`${what} ended with ${code} without output`)
  const answer = JSON.parse(text) as CliAnswer
  if (answer.error) throw new Error(`${what}: ${answer.error.message}`)
  // An exit code and an answer that disagree are a fault of the command's, and no verdict may rest on it.
  if ((code === 0) !== answer.ok) throw new Error(`${what} ended with ${code}, but its output has ok: ${answer.ok}`)
  return answer
}

/** What it writes, as people read it, and its exit code. */
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
