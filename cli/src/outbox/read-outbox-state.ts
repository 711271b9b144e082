import type { Pool } from 'pg'
import { readTopicRow } from '../read-topic-row.ts'

/** One partition, as the outbox and the relay's table show it. */
export interface LaneStatus {
  partition: number
  /** Rows in the outbox, including those of the open batch. */
  rows: number
  /** Age of the oldest row, in s; null without rows. */
  oldest_s: number | null
  /** Its rows may be in the topic already. Null if no batch is open. */
  open_batch: { seq: number; id: string; rows: number; oldest_s: number | null } | null
  lease: { owner: string; expires_in_s: number; expired: boolean } | null
  halted: { since: Date; reason: string } | null
  /** Whether the relay's table has a row for it. */
  known: boolean
}

export interface OutboxState {
  topic: string
  paused: boolean
  paused_reason: string | null
  /** Relays with a recent heartbeat. */
  relays: number
  lanes: LaneStatus[]
}

interface Row {
  partition: number
  rows: number
  oldest_s: number | null
  batch_seq: number | null
  batch_id: string | null
  batch_rows: number
  batch_oldest_s: number | null
  lease_owner: string | null
  lease_expires_in_s: number
  halted_at: Date | null
  halted_reason: string
  known: boolean
}

// No column says when a batch was opened. The age of its oldest row is an upper bound.
const LANES = `
  select partition, coalesce(o.rows, 0) as rows, o.oldest_s, p.batch_seq, p.batch_id, p.batch_rows,
         (select extract(epoch from clock_timestamp() - min(b.created_at))::float8 from outbox b
           where b.partition = p.partition and b.id <= p.batch_last_id
             and pg_visible_in_snapshot(b.xid, p.batch_snapshot)) as batch_oldest_s,
         p.lease_owner, extract(epoch from p.lease_expires_at - clock_timestamp())::float8 as lease_expires_in_s,
         p.halted_at, p.halted_reason, p.partition is not null as known
    from relay_partitions p
    full join (
      select partition, count(*)::int as rows,
             extract(epoch from clock_timestamp() - min(created_at))::float8 as oldest_s
        from outbox group by partition
    ) o using (partition)
   order by partition`

/** A relay writes a heartbeat each time it checks its leases; 60 s is the longest lease that can be configured. */
const RELAYS = `
  select count(*)::int as relays from relay_instances
   where heartbeat_at > now() - interval '60 seconds' and heartbeat_at < now() + interval '60 seconds'`
const LEASE_S_MAX = 60

/** Reads all partitions in one statement, so that the numbers of a partition are consistent. */
export async function readOutboxState(pool: Pool): Promise<OutboxState> {
  const { name: topic, paused, paused_reason } = await readTopicRow(pool)
  const { rows: lanes } = await pool.query<Row>(LANES)
  const { rows: counts } = await pool.query<{ relays: number }>(RELAYS)
  return { topic, paused, paused_reason, relays: counts[0]?.relays ?? 0, lanes: lanes.map(toLane) }
}

/** A lease that lies further ahead than any can was written by a clock that has gone back: relays take it. */
const isExpired = (inS: number): boolean => inS <= 0 || inS > LEASE_S_MAX

function toLane(row: Row): LaneStatus {
  const { partition, rows, known, lease_owner, lease_expires_in_s } = row
  const { batch_seq, batch_id, batch_rows, batch_oldest_s, halted_at, halted_reason } = row
  const round = (seconds: number): number => Math.max(0, Math.round(seconds * 1_000) / 1_000)
  return {
    partition,
    rows,
    oldest_s: row.oldest_s === null ? null : round(row.oldest_s),
    open_batch:
      batch_id === null
        ? null
        : {
            seq: batch_seq as number,
            id: batch_id,
            rows: batch_rows,
            oldest_s: batch_oldest_s === null ? null : round(batch_oldest_s),
          },
    lease:
      lease_owner === null
        ? null
        : { owner: lease_owner, expires_in_s: round(lease_expires_in_s), expired: isExpired(lease_expires_in_s) },
    halted: halted_at === null ? null : { since: halted_at, reason: halted_reason },
    known,
  }
}
