import { spawn } from 'node:child_process'
import { Writable } from 'node:stream'
import { findProgram, pickAmbientEnv } from '@streamledger/testkit'
import { run } from '../src/run.ts'

const MAIN = 'cli/src/main.ts'

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
  /** Of stdout, which must be one document then. */
  // biome-ignore lint/suspicious/noExplicitAny: a schema here would hide what the command really prints
  json: any
}

/** Runs a command line in this process: all of the program but its start and its signals. */
export async function runCli(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const stdout = new Collected()
  const stderr = new Collected()
  // What a command writes to, as far as it asks: without isTTY it is no terminal.
  const streams = { stdout, stderr } as unknown as Pick<NodeJS.Process, 'stdout' | 'stderr'>
  const code = await run(args, { env, ...streams, catchStop: () => new AbortController().signal })
  return finished(code, stdout.text, stderr.text)
}

/** Runs the program as a person or a script does. */
export async function spawnCli(args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', findProgram(MAIN), ...args], {
    env: { ...pickAmbientEnv(), NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<number | null>((done) => child.once('exit', done))
  const [stdout, stderr, code] = await Promise.all([read(child.stdout), read(child.stderr), exited])
  return finished(code, stdout, stderr)
}

const finished = (code: number | null, stdout: string, stderr: string): Finished => ({
  ...{ code, stdout, stderr },
  get json() {
    return JSON.parse(stdout)
  },
})

async function read(stream: NodeJS.ReadableStream): Promise<string> {
  let text = ''
  for await (const part of stream) text += part
  return text
}

class Collected extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk
    done()
  }
}
