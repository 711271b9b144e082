import { spawn } from 'node:child_process'
import { pickFreePort } from '@streamledger/engines'
import { findProgram, pickAmbientEnv, waitFor } from '@streamledger/testkit'
import type { Finished } from './run-cli.ts'

const MAIN = 'cli/src/main.ts'
const KINDS = ['missing', 'doubled', 'foreign', 'mismatched', 'out_of_order'] as const

/** `streamledger audit`, running. */
export interface Audit {
  readonly pid: number
  readonly logs: string
  readonly finished: Promise<Pick<Finished, 'code' | 'stdout'>>
  /** The sum of what streamledger_audit_<name> has, of one partition or of all. */
  metric(name: string, partition?: string): Promise<number>
  faults(): Promise<Record<(typeof KINDS)[number], number>>
  signal(signal: NodeJS.Signals): void
  kill(): Promise<void>
}

export type StartAudit = (env?: Record<string, string>, args?: readonly string[]) => Promise<Audit>

/** Resolves when it follows the topic; rejects with its log when it ends before. */
export async function startAudit(env: Record<string, string>, args: readonly string[] = []): Promise<Audit> {
  const port = await pickFreePort()
  const child = spawn(
    process.execPath,
    ['--disable-warning=TimeoutNegativeWarning', findProgram(MAIN), 'audit', '--json', ...args],
    {
      env: {
        ...{ ...pickAmbientEnv(), NODE_ENV: 'production', OPS_PORT: String(port) },
        ...{ AUDIT_POLL_MS: '50', AUDIT_SWEEP_MS: '100', AUDIT_GRACE_MS: '2000', ...env },
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let stdout = ''
  let logs = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    logs += text
  })
  const finished = new Promise<number | null>((done) => child.once('close', done)).then((code) => ({ code, stdout }))
  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null
  await waitFor(async () => isGone() || (await fetch(`http://127.0.0.1:${port}/health/ready`)).status === 200, {
    timeoutMs: 30_000,
  })
  if (isGone()) {
    await finished
    throw new Error(`the audit ended:\n${logs}`)
  }
  const metric = async (name: string, partition?: string): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`streamledger_audit_${name}{`))
    const chosen = lines.filter((line) => partition === undefined || line.includes(`partition="${partition}"`))
    return chosen.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
  return {
    pid: child.pid as number,
    get logs() {
      return logs
    },
    ...{ finished, metric },
    faults: async () => {
      const counts = await Promise.all(KINDS.map(async (kind) => [kind, await metric(`${kind}_total`)] as const))
      return Object.fromEntries(counts) as Record<(typeof KINDS)[number], number>
    },
    signal: (signal) => void child.kill(signal),
    kill: async () => {
      child.kill('SIGKILL')
      await finished
    },
  }
}
