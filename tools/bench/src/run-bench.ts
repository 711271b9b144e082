import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Screen } from '@streamledger/engines'
import { takeRunLock } from '@streamledger/engines'
import type { BenchArguments, SuiteName } from './bench-arguments.ts'
import { findTool } from './find-tool.ts'
import { describeMachine } from './measure/process-usage.ts'
import { FULL, type Pace, QUICK } from './pace.ts'
import { judgeGoals } from './report/goals.ts'
import type { Report } from './report/report.ts'
import type { BenchDeps, Measurement, Suite } from './suite.ts'
import { runExport } from './suites/export.ts'
import { runGrowth } from './suites/growth.ts'
import { runIdle } from './suites/idle.ts'
import { runPost } from './suites/post.ts'
import { runRead } from './suites/read.ts'
import { runRelay } from './suites/relay.ts'
import { runSystem } from './suites/system.ts'

const SUITES: Readonly<Record<SuiteName, Suite>> = {
  post: runPost,
  read: runRead,
  system: runSystem,
  relay: runRelay,
  export: runExport,
  idle: runIdle,
  growth: runGrowth,
}

const DIR = resolve(import.meta.dirname, '../../../.local/bench')
/** Variables that the report names, because they influence the figures; no secrets or addresses. */
const SETTING =
  /^(POSTING|RELAY|EXPORTER|EXPORT_PAGE|EXPORT_PROGRESS|DATABASE_POOL|STATEMENT_TIMEOUT|TOPIC_PARTITIONS|LOG_LEVEL|UV_THREADPOOL|NODE_OPTIONS)/

/** Runs the chosen suites, one after another. After a failed suite, which the report shows, the next one still runs. */
export async function runBench(args: BenchArguments, screen: Screen, signal: AbortSignal): Promise<Report> {
  const lock = await takeRunLock({ dir: DIR, name: 'bench', entry: 'tools/bench/src/main.ts' })
  const startedAt = performance.now()
  const began_at = new Date().toISOString()
  try {
    const deps = createDeps(args, { screen, signal, lock })
    const measurements: Measurement[] = []
    for (const suite of args.suites) {
      screen.progress(`${suite}:`)
      await runSuite(suite, deps, measurements)
      signal.throwIfAborted()
    }
    return {
      ...{ quick: args.quick, began_at, seconds: Math.round((performance.now() - startedAt) / 1_000) },
      machine: describeMachine(),
      tools: describeTools(deps),
      settings: pickSettings(process.env),
      measurements,
      goals: judgeGoals(measurements, args.suites),
    }
  } finally {
    lock.release()
  }
}

function createDeps(
  args: BenchArguments,
  { screen, signal, lock }: Pick<BenchDeps, 'screen' | 'signal' | 'lock'>,
): BenchDeps {
  const workDir = join(DIR, 'work')
  rmSync(workDir, { recursive: true, force: true })
  for (const folder of [workDir, join(DIR, 'logs'), join(DIR, 'exports')]) mkdirSync(folder, { recursive: true })
  return {
    ...{ dir: DIR, pace: choosePace(args), screen, lock, signal },
    load: { workDir, signal, wrk: args.wrk ? findTool('wrk') : undefined },
    pgbench: args.pgbench ? findTool('pgbench') : undefined,
    keep: args.keep === undefined ? undefined : resolve(args.keep),
    seedOnly: args.seedOnly,
  }
}

function choosePace({ quick, sizes }: BenchArguments): Pace {
  const pace = quick ? QUICK : FULL
  return sizes === undefined ? pace : { ...pace, growth: { ...pace.growth, sizes } }
}

async function runSuite(suite: SuiteName, deps: BenchDeps, measurements: Measurement[]): Promise<void> {
  const report = (measurement: Measurement) => {
    measurements.push(measurement)
    for (const failure of measurement.failures) deps.screen.progress(`FAILED: ${measurement.name}: ${failure}`)
  }
  try {
    await SUITES[suite](deps, report)
  } catch (error) {
    if (deps.signal.aborted) throw deps.signal.reason
    const failure = error instanceof Error ? error.message : String(error)
    report({ suite, name: 'the suite', figures: [], usage: [], notes: [], failures: [failure] })
  }
}

function describeTools({ load, pgbench }: BenchDeps): Report['tools'] {
  return {
    load: load.wrk === undefined ? 'autocannon' : 'wrk',
    ceiling: pgbench === undefined ? 'pg driver' : 'pgbench',
    node: process.versions.node,
  }
}

function pickSettings(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (SETTING.test(name) && value ? [[name, value]] : []))) // biome-ignore format: one thought
}
