import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadResult } from './load-result.ts'
import { readResultLine, runProgram } from './run-program.ts'
import type { Workload } from './workload.ts'

export interface LoadDeps {
  /** The folder for the workload files of the generators. */
  readonly workDir: string
  readonly signal: AbortSignal
  /** Where wrk is, or undefined for autocannon. */
  readonly wrk: string | undefined
}

/** The arguments of a generator's process. */
export interface LoadJob {
  readonly url: string
  readonly workload: Workload
  readonly prefix: string
  readonly seconds: number
  readonly connections: number
  /** Of an open loop, per second. */
  readonly rate?: number
}

export interface LoadRun {
  readonly url: string
  readonly workload: Workload
  readonly seconds: number
  readonly connections: number
  readonly onPid?: (pid: number) => void
}

const WRK_SCRIPT = join(import.meta.dirname, 'closed-loop.lua')
/** One thread of wrk sends far more than the API can answer; on a small machine a second one would not help. */
const WRK_THREADS = 1
/** An answer that takes longer counts as broken. */
const TIMEOUT_S = 10
/** Connections are split between this many autocannon processes; each keeps one core busy. */
const AUTOCANNON_PROCESSES_MAX = 2
const OPEN_LOOP_CONNECTIONS_MAX = 512

/** Closed loop: every connection sends its next request as soon as the last one is answered. */
export function runClosedLoop(deps: LoadDeps, run: LoadRun): Promise<LoadResult> {
  return deps.wrk === undefined ? runAutocannon(deps, run) : runWrk(deps, deps.wrk, run)
}

/** Open loop: requests at a fixed rate, independent of the answers; latency counts from when each was due. */
export async function runOpenLoop(
  deps: LoadDeps,
  run: Omit<LoadRun, 'connections'> & { rate: number },
): Promise<LoadResult> {
  const job = { ...run, connections: OPEN_LOOP_CONNECTIONS_MAX }
  return runWorker(deps, 'open-loop-main.ts', job)
}

async function runWrk({ workDir, signal }: LoadDeps, wrk: string, run: LoadRun): Promise<LoadResult> {
  const { workload, url, seconds, connections, onPid } = run
  const folder = join(workDir, randomUUID())
  mkdirSync(folder, { recursive: true })
  try {
    writeFileSync(join(folder, 'tokens'), `${workload.tokens.join('\n')}\n`)
    writeFileSync(join(folder, 'picks'), `${workload.picks.join('\n')}\n`)
    const shape = [`-t${WRK_THREADS}`, `-c${connections}`, `-d${seconds}s`, `--timeout=${TIMEOUT_S}s`]
    const mix = [newPrefix(), String(workload.replayEvery), String(workload.refuseEvery)]
    const args = [...shape, '-s', WRK_SCRIPT, url, '--', folder, workload.method, new URL(url).host, workload.path]
    const output = await runProgram(wrk, [...args, ...mix], { signal, ...(onPid ? { onPid } : {}) })
    return readResultLine(output)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function runAutocannon(deps: LoadDeps, run: LoadRun): Promise<LoadResult> {
  const processes = Math.min(AUTOCANNON_PROCESSES_MAX, run.connections)
  const results = await Promise.all(
    Array.from({ length: processes }, (_, index) => {
      // The remainder goes to the first ones.
      const connections = Math.floor((run.connections + processes - 1 - index) / processes)
      return runWorker(deps, 'autocannon-main.ts', { ...run, connections })
    }),
  )
  return mergeResults(results)
}

async function runWorker(deps: LoadDeps, entry: string, run: LoadRun & { rate?: number }): Promise<LoadResult> {
  const { url, workload, seconds, connections, rate, onPid } = run
  const job: LoadJob = { url, workload, prefix: newPrefix(), seconds, connections, ...(rate ? { rate } : {}) }
  mkdirSync(deps.workDir, { recursive: true })
  const file = join(deps.workDir, `${job.prefix}.json`)
  writeFileSync(file, JSON.stringify(job))
  try {
    const args = [join(import.meta.dirname, entry), file]
    return readResultLine(
      await runProgram(process.execPath, args, { signal: deps.signal, ...(onPid ? { onPid } : {}) }),
    )
  } finally {
    rmSync(file, { force: true })
  }
}

/** Counts add up; latencies are weighted by answers, which is close where the processes are alike. */
function mergeResults(results: readonly LoadResult[]): LoadResult {
  const sum = (pick: (result: LoadResult) => number) => results.reduce((total, result) => total + pick(result), 0)
  const answered = sum((result) => result.answered)
  const weighted = (pick: (result: LoadResult) => number) =>
    sum((result) => pick(result) * result.answered) / Math.max(1, answered)
  return {
    seconds: Math.max(...results.map((result) => result.seconds)),
    answered,
    refused: sum((result) => result.refused),
    unexpected: sum((result) => result.unexpected),
    broken: sum((result) => result.broken),
    p50_ms: weighted((result) => result.p50_ms),
    p90_ms: weighted((result) => result.p90_ms),
    p99_ms: weighted((result) => result.p99_ms),
  }
}

const newPrefix = () => randomUUID().slice(0, 13)
