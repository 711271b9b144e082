import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BenchDeps } from '../suite.ts'
import { CEILING_STATEMENTS, type CeilingResult, type CeilingRun } from './ceiling-statements.ts'
import { runPgLoad } from './run-pg-load.ts'
import { runPgbench } from './run-pgbench.ts'

/** Runs one of the ceiling's statements from many clients, with pgbench where there is one, else with the pg driver. */
export function measureCeiling(deps: BenchDeps, run: CeilingRun): Promise<CeilingResult> {
  const folder = join(deps.load.workDir, 'ceiling')
  mkdirSync(folder, { recursive: true })
  if (deps.pgbench === undefined) return runPgLoad(run, { folder, signal: deps.signal })
  const script = join(folder, `${run.statement}.sql`)
  writeFileSync(script, `${CEILING_STATEMENTS[run.statement].pgbench};\n`)
  return runPgbench(run, { pgbench: deps.pgbench, folder, script, signal: deps.signal })
}
