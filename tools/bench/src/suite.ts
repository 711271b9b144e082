import type { RunLock, Screen } from '@streamledger/engines'
import type { LoadDeps } from './load/run-load.ts'
import type { ProcessUsage } from './measure/process-usage.ts'
import type { Spread } from './measure/statistics.ts'
import type { Pace } from './pace.ts'

/** The dependencies of all suites. */
export interface BenchDeps {
  /** The folder for engines, logs and files of the run. */
  readonly dir: string
  readonly pace: Pace
  readonly screen: Screen
  readonly lock: RunLock
  readonly signal: AbortSignal
  readonly load: LoadDeps
  /** The path of pgbench; undefined: use the pg driver. */
  readonly pgbench: string | undefined
  /** The folder for databases that outlive the run (growth). */
  readonly keep: string | undefined
  /** Only writes the databases for `keep`, and measures nothing. */
  readonly seedOnly: boolean
}

export interface Figure extends Spread {
  name: string
  unit: string
}

/** One line of the report: figures, CPU and memory usage, and failures. */
export interface Measurement {
  suite: string
  name: string
  figures: Figure[]
  usage: ProcessUsage[]
  notes: string[]
  /** Any of these fails the bench: figures of a failed run are worth nothing. */
  failures: string[]
}

/** Runs measurements one after another, and reports each as soon as it is done. */
export type Suite = (deps: BenchDeps, report: (measurement: Measurement) => void) => Promise<void>

export const once = (name: string, unit: string, value: number): Figure => ({
  ...{ name, unit },
  ...{ median: value, min: value, max: value },
})
