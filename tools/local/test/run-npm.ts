import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLineOf, listDescendants, pickFreePort, signalProcess } from '@streamledger/engines'
import { pickAmbientEnv, waitFor } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { ROOT } from '../src/local-config.ts'

/** Long enough for a machine that is busy with other tests. */
const TIMEOUT_MS = 240_000

export interface NpmRun {
  readonly child: ChildProcess
  readonly output: string
  readonly exited: Promise<number | null>
  /** Resolves once the output has this text; rejects, with the output, if npm ends first. */
  untilSays(text: string): Promise<void>
  /** All living processes below npm. */
  processes(): number[]
}

/** Runs an npm script of the repository as a person does; nothing of it outlives the test. */
export function runNpm(args: readonly string[], env: Readonly<Record<string, string>>): NpmRun {
  const { HOME = '' } = process.env
  const child = spawn('npm', args, {
    cwd: ROOT,
    env: { ...pickAmbientEnv(), HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve))
  const processes = () => listDescendants(child.pid as number)
  onTestFinished(() => {
    for (const pid of [...processes(), child.pid as number]) signalProcess(pid, 'SIGKILL')
  })
  return {
    child,
    exited,
    processes,
    get output() {
      return output
    },
    untilSays: async (text) => {
      const isSaid = () => output.includes(text)
      await waitFor(() => isSaid() || child.exitCode !== null, { timeoutMs: TIMEOUT_MS }).catch(() => {})
      if (!isSaid()) throw new Error(`"${text}" was not said (exit code ${child.exitCode}):\n${output}`)
    },
  }
}

/** The variables of a stack in a folder of its own, on ports that are free. */
export async function ownStackEnv(): Promise<Record<string, string>> {
  const localDir = mkdtempSync(join(tmpdir(), 'stack-'))
  onTestFinished(() => rmSync(localDir, { recursive: true, force: true, maxRetries: 10 }))
  const names = ['PORT', 'OPS_PORT', 'POSTGRES_PORT', 'KAFKA_PORT']
  const ports = await Promise.all(names.map(async (name) => [name, String(await pickFreePort())]))
  return { LOCAL_DIR: localDir, ...Object.fromEntries(ports) }
}

export const livingOf = (pids: readonly number[]): number[] => pids.filter((pid) => commandLineOf(pid) !== undefined)
