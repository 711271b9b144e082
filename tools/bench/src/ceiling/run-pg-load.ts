import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readResultLine, runProgram } from '../load/run-program.ts'
import { CEILING_STATEMENTS, type CeilingResult, type CeilingRun } from './ceiling-statements.ts'

/** The arguments of a process of clients. */
export interface PgLoadJob extends CeilingRun {
  readonly text: string
  readonly walletsMax: number | undefined
}

const PROCESSES_MAX = 2

/** Runs a statement with the pg driver, in processes of their own. */
export async function runPgLoad(
  run: CeilingRun,
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<CeilingResult> {
  const processes = Math.min(PROCESSES_MAX, run.clients)
  const results = await Promise.all(
    Array.from({ length: processes }, async (_, index) => {
      const { text, walletsMax } = CEILING_STATEMENTS[run.statement]
      const clients = Math.floor((run.clients + processes - 1 - index) / processes)
      const file = join(folder, `pg-load-${index}.json`)
      writeFileSync(file, JSON.stringify({ ...run, clients, text, walletsMax } satisfies PgLoadJob), { mode: 0o600 })
      const args = [join(import.meta.dirname, 'pg-load-main.ts'), file]
      return readResultLine<CeilingResult>(await runProgram(process.execPath, args, { signal }))
    }),
  )
  const rate = results.reduce((sum, result) => sum + result.rate, 0)
  const [first] = results
  return run.clients === 1 && first ? first : { rate }
}
