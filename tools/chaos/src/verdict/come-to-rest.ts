import { waitFor } from '@streamledger/testkit/wait-for'
import type pg from 'pg'

/** Time for outbox and exports after the last fault. Jobs of a dead exporter wait until the others declare it dead. */
const DRAIN_MAX_MS = 180_000
const EXPORTS_MAX_MS = 240_000
const POLL_MS = 250

/** Waits until outbox and exports are done, up to a limit. The verdict finds what is left. */
export async function comeToRest(pool: pg.Pool): Promise<void> {
  const ask = async (statement: string): Promise<boolean> => {
    const { rows } = await pool.query<{ waits: boolean }>(statement)
    return rows[0]?.waits === false
  }
  const drained = `select exists (select from outbox o join relay_partitions p using (partition) where p.halted_at is null)
    or exists (select from relay_partitions where batch_id is not null and halted_at is null) as waits`
  const finished = `select exists (select from exports where status in ('queued', 'running')) as waits`
  await waitFor(() => ask(drained), { timeoutMs: DRAIN_MAX_MS, intervalMs: POLL_MS }).catch(() => {})
  await waitFor(() => ask(finished), { timeoutMs: EXPORTS_MAX_MS, intervalMs: POLL_MS }).catch(() => {})
}
