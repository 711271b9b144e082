import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '../load/run-program.ts'
import { percentile } from '../measure/statistics.ts'
import type { CeilingResult, CeilingRun } from './ceiling-statements.ts'

export interface PgbenchDeps {
  readonly pgbench: string
  /** Where it writes the times of single transactions. */
  readonly folder: string
  readonly script: string
  readonly signal: AbortSignal
}

const THREADS_MAX = 2
const LOG_PREFIX = 'times'
const US_PER_MS = 1_000

/** Runs a script with prepared statements; a single client's times come from its log. */
export async function runPgbench(run: CeilingRun, deps: PgbenchDeps): Promise<CeilingResult> {
  const { hostname, port, username, password, pathname } = new URL(run.databaseUrl)
  const threads = Math.min(THREADS_MAX, run.clients)
  const shape = [`--client=${run.clients}`, `--jobs=${threads}`, `--time=${run.seconds}`]
  // Writing the log costs the rate of many clients something, and the latency of one nothing that it measures.
  const log = run.clients === 1 ? ['--log', `--log-prefix=${LOG_PREFIX}`] : []
  const place = ['-h', hostname, '-p', port, '-U', username, pathname.slice(1)]
  sweepLogs(deps.folder)
  const output = await runProgram(
    deps.pgbench,
    ['--no-vacuum', '--protocol=prepared', `--file=${deps.script}`, ...shape, ...log, ...place],
    { cwd: deps.folder, env: { ...process.env, PGPASSWORD: decodeURIComponent(password) }, signal: deps.signal },
  )
  const rate = /^tps = ([\d.]+)/m.exec(output)?.[1]
  const failed = /number of failed transactions: (\d+)/.exec(output)?.[1]
  if (rate === undefined || (failed !== undefined && failed !== '0')) throw new Error(`pgbench: ${output.trim()}`)
  if (run.clients > 1) return { rate: Number(rate) }
  const p50_ms = percentile(readTimesMs(deps.folder), 0.5)
  sweepLogs(deps.folder)
  return { rate: Number(rate), p50_ms }
}

const isLog = (name: string): boolean => name.startsWith(`${LOG_PREFIX}.`)

/** One file a thread; the third word of a line is a transaction's time in microseconds. */
function readTimesMs(folder: string): number[] {
  const lines = readdirSync(folder)
    .filter(isLog)
    .flatMap((name) => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))
  return lines.map((line) => Number(line.split(' ', 3)[2]) / US_PER_MS)
}

function sweepLogs(folder: string): void {
  for (const name of readdirSync(folder).filter(isLog)) rmSync(join(folder, name), { force: true })
}
