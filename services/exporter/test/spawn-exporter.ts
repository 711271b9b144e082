import { join } from 'node:path'
import { type ServiceProcess, type SpawnService, waitFor } from '@streamledger/testkit'
import { readWorkbook } from './read-workbook.ts'

const MAIN = 'services/exporter/src/main.ts'
export const DEAD_AFTER_MS = 1_500
/** Heartbeats so quick that a test need not wait long for a death. */
const QUICK = { EXPORTER_HEARTBEAT_MS: '100', EXPORTER_DEAD_AFTER_MS: String(DEAD_AFTER_MS) }

export interface RunningExporter {
  process: ServiceProcess
  poolId: string
}

/** An exporter as a process of its own, whose death is noticed soon. */
export async function spawnExporter(spawnService: SpawnService, env: Record<string, string>): Promise<RunningExporter> {
  const process = await spawnService(MAIN, { ...QUICK, ...env })
  await process.ready()
  return { process, poolId: await waitFor(() => readPoolId(process.logs)) }
}

export function readPoolId(logs: string): string {
  const [, poolId] = /"poolId":"(pool-[0-9a-f]+)"/.exec(logs) ?? []
  if (poolId === undefined) throw new Error('it has not said which pool it is')
  return poolId
}

export async function readTransIds(dir: string, file: string | null): Promise<unknown[]> {
  const sheets = await readWorkbook(join(dir, file as string))
  return sheets.flatMap(({ rows }) => rows.map(({ trans_id }) => trans_id))
}

/** Those of a history of so many rows. */
export const transIds = (rows: number): string[] => Array.from({ length: rows }, (_, n) => `order-${n + 1}`)
