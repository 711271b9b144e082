import type { RunLock, Screen } from '@streamledger/engines'
import type { LoadDeps } from './load/run-load.ts'
import type { ProcessUsage } from './measure/process-usage.ts'
import type { Spread } from './measure/statistics.ts'
import type { Pace } from './pace.ts'

/** What every suite is given. */
export interface BenchDeps {
  /** Where engines, logs and files of the run live. */
  readonly dir: string
  readonly pace: Pace
  readonly screen: Screen
  readonly lock: RunLock
  readonly signal: AbortSignal
  readonly load: LoadDeps
  /** Where pgbench is, or undefined for the pg driver. */
  readonly pgbench: string | undefined
  /** Where databases outlive the run, for the suite that asks for it. */
  readonly keep: string | undefined
  /** Writes what is to be kept, and measures nothing. */
  readonly seedOnly: boolean
}

export interface Figure extends Spread {
  name: string
  unit: string
}

/** One line of the report: what was measured, what it cost, and what was wrong. */
export interface Measurement {
  suite: string
  name: string
  figures: Figure[]
  usage: ProcessUsage[]
  notes: string[]
  /** Any of these fails the bench: figures of a run that went wrong are worth nothing. */
  failures: string[]
}

/** Measures one thing after another, and hands each over as soon as it is known. */
export type Suite = (deps: BenchDeps, report: (measurement: Measurement) => void) => Promise<void>

export const once = (name: string, unit: string, value: number): Figure => ({
  ...{ name, unit },
  ...{ median: value, min: value, max: value },
})
