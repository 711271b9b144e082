import type { Pool } from 'pg'
import type { Batch, OutboxRow } from './publisher.ts'

/** A partition as Postgres knows it, seen by the holder of its lease. */
export interface Lane {
  partition: number
  batchSeq: number
  /** The batch that may or may not be in Kafka; undefined when none is open. */
  batch: { batchId: string; rows: number } | undefined
  /** In Kafka, after the last confirmed batch. */
  nextOffset: number | undefined
  /** An operator has settled what was in doubt, with the partition ending here; undefined: nobody had to. */
  resolvedEnd: number | undefined
}

export interface Intent {
  partition: number
  token: string
  /** As last read: the intent lands only on this. */
  batchSeq: number
  /** In Kafka, after the batch that this intent confirms. */
  nextOffset: number | undefined
  rowsMax: number
  bytesMax: number
}

/** Why an intent did not land: the lease or the batch number is not what the lane believes. */
export class LaneMovedError extends Error {
  override name = 'LaneMovedError'
}

/** Rows that this Postgres cannot have written: it went back in time, or it is another one. */
export class ForeignRowsError extends Error {
  override name = 'ForeignRowsError'
}

// Everything hangs on the one UPDATE: if it matches nothing, nothing is deleted and nothing is returned (a DELETE in a
// WITH would run by itself otherwise). It confirms the open batch, which is published by now: its rows are deleted by
// the same predicate that chose them, so a row that committed late with a lower id is not among them. In the same step
// it names the next batch: the rows that this statement's snapshot sees. A row is seen by Postgres, and yet not in the
// snapshot by its xid, only if it was written by another history of this database.
//
// The floor: what is deleted stays in the index until it is vacuumed, and an old transaction can hold that up for hours.
// So each look begins above an id that is proved to have nothing to publish at or below it. `drawn` is the highest id that
// anybody has drawn so far, and is read before this statement gets a transaction id of its own. Who has drawn one has had
// a transaction id before that (the column's default sees to it), hence a lower one. When the oldest transaction that
// runs is at or past ours, they have all ended, and the statement sees their rows: what it does not find is not there.
// Where the UPDATE has to wait and is evaluated anew, `drawn` stays as it was read first, since it comes from a FROM.
const INTEND = `
  with open as materialized (
    select * from relay_partitions where partition = $1 and lease_token = $2 and batch_seq = $3 and halted_at is null
  ), drawn as materialized (
    select last_value - (not is_called)::int as id from outbox_ids
  ), waiting as materialized (
    select w.* from open cross join lateral (
      select o.id, o.key, o.payload, o.headers, o.created_at, not pg_visible_in_snapshot(o.xid, pg_current_snapshot()) as is_foreign
        from outbox o
       where o.partition = $1 and o.id > open.floor_id
         and not (open.batch_id is not null and o.id <= open.batch_last_id and pg_visible_in_snapshot(o.xid, open.batch_snapshot))
       order by o.partition, o.id limit $4
    ) w
  ), chosen as materialized (
    select id, key, payload, headers, created_at from (
      select *, sum(octet_length(payload) + octet_length(headers::text)) over (order by id) as bytes from waiting
    ) w where bytes <= $5 and not exists (select from waiting where is_foreign)
  ), settled as materialized (
    select case when is_settled then least(floor_next_id, first_id - 1) end as floor_id,
           floor_next_id is null or is_settled and coalesce(first_id > floor_next_id, true) as is_reached
      from (
        select floor_next_id, (select min(id) from waiting) as first_id,
               $4 > 0 and floor_next_xid <= pg_snapshot_xmin(pg_current_snapshot()) as is_settled
          from open
      ) looked
  ), moved as (
    update relay_partitions p
       set batch_seq = p.batch_seq + (exists (select from chosen))::int,
           batch_id = case when exists (select from chosen) then gen_random_uuid() end,
           batch_last_id = (select max(id) from chosen),
           batch_snapshot = case when exists (select from chosen) then pg_current_snapshot() end,
           batch_rows = (select nullif(count(*), 0) from chosen),
           next_offset = coalesce($6, p.next_offset),
           resolved_end = null,
           receipt_at = case when p.batch_id is not null then now() else p.receipt_at end,
           floor_id = greatest(p.floor_id, settled.floor_id),
           floor_next_id = case when is_reached then drawn.id else p.floor_next_id end,
           floor_next_xid = case when is_reached then pg_current_xact_id() else p.floor_next_xid end
      from drawn, settled
     where p.partition = $1 and p.lease_token = $2 and p.batch_seq = $3 and p.halted_at is null
    returning old.batch_last_id as old_last_id, old.batch_snapshot as old_snapshot, old.floor_id as old_floor_id,
              new.batch_seq, new.batch_id
  ), published as (
    delete from outbox o using moved m
     where o.partition = $1 and o.id > m.old_floor_id and o.id <= m.old_last_id
       and pg_visible_in_snapshot(o.xid, m.old_snapshot)
  )
  select m.batch_seq, m.batch_id, exists (select from waiting where is_foreign) as is_foreign,
         1000 * extract(epoch from statement_timestamp() - (select min(created_at) from chosen))::float8 as oldest_age_ms,
         c.id, c.key, c.payload, c.headers
    from moved m left join chosen c on true
   order by c.id`

const OPEN_BATCH_ROWS = `
  select o.id, o.key, o.payload, o.headers
    from relay_partitions p join outbox o on o.partition = p.partition
   where p.partition = $1 and p.lease_token = $2 and p.batch_seq = $3 and p.batch_id is not null
     and o.id > p.floor_id and o.id <= p.batch_last_id and pg_visible_in_snapshot(o.xid, p.batch_snapshot)
   order by o.id`

// In this form Postgres can only probe the primary key, once a partition and at its floor, whatever the statistics say.
const WITH_ROWS = `
  select p.partition
    from relay_partitions p
   cross join lateral (
     select from outbox o
      where o.partition = p.partition and o.id > p.floor_id
        and not (p.batch_id is not null and o.id <= p.batch_last_id and pg_visible_in_snapshot(o.xid, p.batch_snapshot))
      order by o.partition, o.id limit 1
   ) o
   where p.partition = any($1::int[])`

/** For those who look at their plans. */
export const STATEMENTS = { intend: INTEND, withRows: WITH_ROWS } as const

/** All that the relay says to Postgres about rows and batches. */
export function createOutbox(pool: Pool) {
  return {
    /** Undefined: the lease is no longer ours. */
    async readLane(partition: number, token: string): Promise<Lane | undefined> {
      const { rows } = await pool.query(
        'select batch_seq, batch_id, batch_rows, next_offset, resolved_end from relay_partitions where partition = $1 and lease_token = $2 and halted_at is null',
        [partition, token],
      )
      const [row] = rows
      if (!row) return undefined
      const batch = row.batch_id === null ? undefined : { batchId: row.batch_id, rows: row.batch_rows }
      return {
        partition,
        batchSeq: row.batch_seq,
        batch,
        nextOffset: row.next_offset ?? undefined,
        resolvedEnd: row.resolved_end ?? undefined,
      }
    },

    /**
     * Confirms the open batch and names the next one, which is empty when nothing waits (or `rowsMax` is 0).
     *
     * @throws LaneMovedError, ForeignRowsError; after any other error it may or may not have landed.
     */
    async intend(intent: Intent): Promise<Batch> {
      const { partition, token, batchSeq, rowsMax, bytesMax, nextOffset } = intent
      const { rows } = await pool.query({
        name: 'relay-intend',
        text: INTEND,
        values: [partition, token, batchSeq, rowsMax, bytesMax, nextOffset],
      })
      const [first] = rows
      if (!first) throw new LaneMovedError(`partition ${partition} is no longer at batch ${batchSeq} of this lease`)
      if (first.is_foreign) {
        throw new ForeignRowsError('an outbox row is newer than every transaction of this database')
      }
      const { batch_seq: seq, batch_id: batchId, oldest_age_ms: oldestAgeMs } = first
      return {
        seq,
        batchId,
        rows: first.id === null ? [] : (rows as OutboxRow[]),
        oldestAgeMs: oldestAgeMs ?? undefined,
      }
    },

    /** The rows of the open batch, the same and in the same order as when it was named. */
    async readOpenBatch(partition: number, token: string, batchSeq: number): Promise<OutboxRow[]> {
      const { rows } = await pool.query<OutboxRow>(OPEN_BATCH_ROWS, [partition, token, batchSeq])
      return rows
    },

    /** Remembers that a receipt was written by itself. */
    async noteReceipt(partition: number, token: string, nextOffset: number): Promise<void> {
      await pool.query(
        'update relay_partitions set receipt_at = now(), next_offset = $3, resolved_end = null where partition = $1 and lease_token = $2',
        [partition, token, nextOffset],
      )
    },

    /** Stops a partition until someone resolves it. One that moved on meanwhile is left alone: a zombie halts nobody. */
    async halt(partition: number, token: string, batchSeq: number, reason: string): Promise<boolean> {
      const { rowCount } = await pool.query(
        `update relay_partitions
            set halted_at = now(), halted_reason = $4, lease_owner = null, lease_token = null, lease_expires_at = null,
                resolved_end = null
          where partition = $1 and lease_token = $2 and batch_seq = $3 and halted_at is null`,
        [partition, token, batchSeq, reason],
      )
      return rowCount === 1
    },

    /** Which of these partitions have rows that are in no batch yet. */
    async partitionsWithRows(partitions: readonly number[]): Promise<number[]> {
      const { rows } = await pool.query({ name: 'relay-with-rows', text: WITH_ROWS, values: [partitions] })
      return rows.map((row) => row.partition)
    },
  }
}

export type Outbox = ReturnType<typeof createOutbox>
