import { setTimeout as delay } from 'node:timers/promises'
import type { FaultDeps } from './effect.ts'

const POLL_MS = 2
const MID_BATCH_WAIT_MAX_MS = 3_000
const EXPORT_WAIT_MAX_MS = 3_000
const EXPORTS_ORDERED = 3
/** With two requests in flight a batch is being committed, because waiting requests share a commit. */
const IN_FLIGHT_WANTED = 2

/** Waits until an API has requests in flight; returns how many. */
export async function awaitMidBatch(api: string, { inFlight, signal }: FaultDeps): Promise<number> {
  const deadline = performance.now() + MID_BATCH_WAIT_MAX_MS
  while (inFlight(api) < IN_FLIGHT_WANTED && performance.now() < deadline) await delay(POLL_MS, undefined, { signal })
  return inFlight(api)
}

/** Orders workbooks and waits until an exporter writes one; returns how many are being written. */
export async function awaitExport({ stack, orderExports, signal }: FaultDeps): Promise<number> {
  orderExports(EXPORTS_ORDERED)
  const deadline = performance.now() + EXPORT_WAIT_MAX_MS
  while (performance.now() < deadline) {
    const running = await countRunning(stack.pool)
    if (running > 0) return running
    await delay(POLL_MS * 10, undefined, { signal })
  }
  return 0
}

async function countRunning(pool: FaultDeps['stack']['pool']): Promise<number> {
  try {
    const { rows } = await pool.query<{ running: number }>(
      `select count(*)::int as running from exports where status = 'running'`,
    )
    return rows[0]?.running ?? 0
  } catch {
    return 0 // the database is down just now
  }
}
