import type { Pool } from 'pg'
import { CliError } from '../errors.ts'
import type { Outcome } from './judge-evidence.ts'
import type { Evidence } from './read-evidence.ts'

export interface Resolution {
  outcome: Outcome
  reason: string
  by: string
  /** What spoke against it. */
  overruled: readonly string[]
}

// Everything hangs on the one UPDATE, as in the relay: a lane that has moved on since it was looked at is left alone. The
// rows that are in the topic go, the others are chosen anew; what another history of this database has stamped them with
// would be newer than every transaction of this one. The floor was proved in that history, too, and is proved anew.
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

/** The number that the lane goes on from: of no batch that either side has heard of. */
const nextSeqOf = ({ lane, sight }: Evidence): number =>
  1 + Math.max(lane.batch_seq, typeof sight.receipt === 'object' ? sight.receipt.seq : 0)

/** Settles a halted lane; what its next holder needs is in its row: the number to go on from, and where the topic ends. */
export async function resolveLane(pool: Pool, evidence: Evidence, resolution: Resolution): Promise<void> {
  const { lane, sight } = evidence
  const { outcome, reason, by } = resolution
  const { rowCount } = await pool.query(RESOLVE, [
    ...[lane.partition, lane.halted_at, lane.batch_seq, nextSeqOf(evidence), sight.end],
    ...[goneIds(evidence, outcome), outcome, reason, by, JSON.stringify(describeEvidence(evidence, resolution))],
  ])
  if (rowCount === 1) return
  const text = `Partition ${lane.partition} is not as it was a moment ago: somebody else has resolved it. Nothing was changed.`
  throw new CliError('incomplete', text)
}

function goneIds({ publishedIds, batchIds }: Evidence, outcome: Outcome): number[] {
  if (outcome === 'unpublished') return []
  return outcome === 'published' ? batchIds : publishedIds
}

/** What is kept with the resolution, and shown before it. */
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
