import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { pickAmbientEnv } from '@streamledger/testkit'

const MAIN = resolve(import.meta.dirname, '../src/main.ts')

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
  /** Of stdout, which must be one document then. */
  // biome-ignore lint/suspicious/noExplicitAny: a schema here would hide what the command really prints
  json: any
}

/** Runs the program as a person or a script does. */
export async function runCli(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', MAIN, ...args], {
    env: { ...pickAmbientEnv(), NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
    let text = ''
    for await (const part of stream) text += part
    return text
  }
  const exited = new Promise<number | null>((done) => child.once('exit', done))
  const [stdout, stderr, code] = await Promise.all([read(child.stdout), read(child.stderr), exited])
  return {
    code,
    stdout,
    stderr,
    get json() {
      return JSON.parse(stdout)
    },
  }
}
