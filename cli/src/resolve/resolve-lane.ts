import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import type { Outcome } from './judge-evidence.ts'
import type { Evidence } from './read-evidence.ts'

export interface Resolution {
  outcome: Outcome
  reason: string
  by: string
  /** Contradictions that --force overruled. */
  overruled: readonly string[]
}

// One UPDATE decides, as in the relay: a partition that has changed since it was read is left alone. Rows that are in the
// topic are deleted, the others are chosen anew. After a restore their xid may be newer than every transaction of this
// database, so they get a new one. The floor may come from before the restore too, so it is reset.
const RESOLVE = `
  with published as materialized (
    select unnest($6::bigint[]) as id
  ), lane as (
    update relay_partitions
       set batch_seq = $4, batch_id = null, batch_last_id = null, batch_snapshot = null, batch_rows = null,
           next_offset = $5, resolved_end = $5, halted_at = null, halted_reason = null,
           lease_owner = null, lease_token = null, lease_expires_at = null,
           floor_id = 0, floor_next_id = null, floor_next_xid = null
     where partition = $1 and halted_at::text = $2 and batch_seq = $3
    returning old.batch_id
  ), gone as (
    delete from outbox o using lane, published where o.partition = $1 and o.id = published.id
  ), stamped as (
    update outbox o set xid = default
      from lane
     where o.partition = $1 and not pg_visible_in_snapshot(o.xid, pg_current_snapshot())
       and not exists (select from published where published.id = o.id)
  )
  insert into relay_resolutions (partition, batch_seq, batch_id, outcome, reason, resolved_by, evidence)
  select $1, $3, lane.batch_id, $7, $8, $9, $10::json from lane`

/** The number from which the partition continues: higher than that of every batch known to Postgres or Kafka. */
const nextSeqOf = ({ lane, sight }: Evidence): number =>
  1 + Math.max(lane.batch_seq, typeof sight.receipt === 'object' ? sight.receipt.seq : 0)

/** Resolves a halted partition. Its row then holds what the next relay needs: the next number and the end of the topic. */
export async function resolveLane(pool: Pool, evidence: Evidence, resolution: Resolution): Promise<void> {
  const { lane, sight } = evidence
  const { outcome, reason, by } = resolution
  const { rowCount } = await pool.query(RESOLVE, [
    ...[lane.partition, lane.halted_at, lane.batch_seq, nextSeqOf(evidence), sight.end],
    ...[goneIds(evidence, outcome), outcome, reason, by, JSON.stringify(describeEvidence(evidence, resolution))],
  ])
  if (rowCount === 1) return
  const text = `Partition ${lane.partition} has changed in the meantime: another command has resolved it. Nothing was changed.`
  throw new CliError('incomplete', text)
}

function goneIds({ publishedIds, batchIds }: Evidence, outcome: Outcome): number[] {
  if (outcome === 'unpublished') return []
  return outcome === 'published' ? batchIds : publishedIds
}

/** The evidence that is shown before a resolution and stored with it. */
export function describeEvidence(evidence: Evidence, { overruled }: Pick<Resolution, 'overruled'>) {
  const { lane, sight, from, batchIds, batchPublished, otherRows, otherPublished, lost, overtaken } = evidence
  return {
    ...{ halted_at: lane.halted_at, halted_reason: lane.halted_reason },
    ...{ batch_seq: lane.batch_seq, batch_id: lane.batch_id, next_offset: lane.next_offset },
    ...{ receipt: sight.receipt ?? null, stable: sight.stable, end: sight.end, read_from: from },
    ...{ batch_rows: batchIds.length, batch_rows_in_topic: batchPublished },
    ...{ other_rows: otherRows, other_rows_in_topic: otherPublished },
    ...{ events_without_transaction: lost.length, overtaken_user: overtaken ?? null, overruled },
  }
}
