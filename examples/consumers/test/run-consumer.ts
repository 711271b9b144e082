import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { pickAmbientEnv } from '@streamledger/testkit'
import type { Command } from './prepare-languages.ts'

export interface RunningConsumer {
  readonly pid: number
  readonly output: string
  /** The exit code; null after a kill. */
  readonly ended: Promise<number | null>
  signal(signal: NodeJS.Signals): void
}

export function runConsumer(
  [program, ...args]: Command,
  env: Record<string, string>,
  ...more: string[]
): RunningConsumer {
  const child = spawn(program, [...args, ...more], {
    // NODE_ENV: kafkajs behaves differently under `test`.
    env: { ...pickAmbientEnv(), NODE_ENV: 'production', PYTHONDONTWRITEBYTECODE: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const ended = new Promise<number | null>((done, reject) => {
    child.once('error', reject)
    child.once('close', done)
  })
  return {
    pid: child.pid as number,
    get output() {
      return output
    },
    ended,
    signal: (signal) => void child.kill(signal),
  }
}

/** How many events a consumer has stored as processed. */
export function countStored(stateFile: string): number {
  return existsSync(stateFile) ? JSON.parse(readFileSync(stateFile, 'utf8')).events : 0
}
