import { pinnedOf } from '@streamledger/kafka'
import type { Pool } from 'pg'
import type { Batch, KafkaIdentity, OutboxRow } from './publisher.ts'

/** A partition's row in relay_partitions, read by the holder of its lease. */
export interface Lane {
  partition: number
  batchSeq: number
  /** The open batch, which may or may not be in Kafka; undefined: none is open. */
  batch: { batchId: string; rows: number } | undefined
  /** The Kafka offset after the last confirmed batch. */
  nextOffset: number | undefined
  /** The end of the partition when an operator resolved it; undefined: not resolved by an operator. */
  resolvedEnd: number | undefined
  /** The Kafka that has the events; undefined: not recorded yet. */
  pinned?: KafkaIdentity | undefined
}

export interface Intent {
  partition: number
  token: string
  /** The intent applies only if Postgres is still at this batch. */
  batchSeq: number
  /** The Kafka offset after the batch that this intent confirms. */
  nextOffset: number | undefined
  rowsMax: number
  bytesMax: number
}

/** Nothing was applied: the lease or the batch number has changed, or the partition was confirmed further already. */
export class LaneMovedError extends Error {
  override name = 'LaneMovedError'
}

/** The outbox has rows that this database cannot have written: it was restored to an earlier state, or replaced. */
export class ForeignRowsError extends Error {
  override name = 'ForeignRowsError'
}

// All depends on the one UPDATE: if it matches no row, nothing is deleted and nothing is returned. (The DELETE reads
// from it, because a DELETE in a WITH runs in any case.) The UPDATE confirms the open batch, which is published by now.
// Its rows are deleted by the predicate that chose them, so a row with a lower id that committed late stays. The UPDATE
// also names the next batch: the rows in this statement's snapshot. A row that is visible although its xid is not in
// the snapshot was written by another history of this database, for example before a restore.
//
// The floor: deleted rows stay in the index until vacuum removes them, and an old transaction can delay that for hours.
// So each read starts above the floor, an id at or below which no row is left to publish. The proof:
// - `drawn` is the highest id drawn so far. It is read before this statement gets its transaction id.
// - Each transaction that drew an id already had a transaction id (the column's default sees to that), so a lower one.
// - Once the oldest running transaction is this one or a later one, all those transactions have ended, and the
// statement
//   sees their rows. Rows at or below `drawn` that it does not find do not exist.
// - If the UPDATE waits for a lock and is re-evaluated, `drawn` keeps its first value, because it comes from a FROM.
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
       and coalesce($6 >= p.next_offset, true) -- what is confirmed never goes back
    returning old.batch_last_id as old_last_id, old.batch_snapshot as old_snapshot, old.floor_id as old_floor_id,
              new.batch_seq, new.batch_id
  ), published as (
    delete from outbox o using moved m
     where o.partition = $1 and o.id > m.old_floor_id and o.id <= m.old_last_id
       and pg_visible_in_snapshot(o.xid, m.old_snapshot)
  )
  select m.batch_seq, m.batch_id, (select count(*) from chosen) < (select count(*) from waiting) as is_cut, exists (select from waiting where is_foreign) as is_foreign,
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

// Written so that Postgres can only use the primary key, once per partition from its floor on, for any statistics.
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

/** Exported for tests of the query plans. */
export const STATEMENTS = { intend: INTEND, withRows: WITH_ROWS } as const

/** All SQL of the relay for rows and batches. */
export function createOutbox(pool: Pool) {
  return {
    /**
     * Undefined: the lease is no longer ours. It writes, so that its commit waits for a standby, if commits do: an intent
     * whose own wait was cut off may be on none, and would be published without a transaction if the primary was lost.
     */
    async readLane(partition: number, token: string): Promise<Lane | undefined> {
      const { rows } = await pool.query(
        `update relay_partitions p set lease_token = lease_token
          where partition = $1 and lease_token = $2 and halted_at is null
         returning batch_seq, batch_id, batch_rows, next_offset, resolved_end,
                   (select kafka_cluster_id from topic), (select kafka_topic_id from topic)`,
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
        pinned: pinnedOf(row),
      }
    },

    /**
     * Records which Kafka has the events, if that is not recorded yet. A receipt that fits proves it; without one only a
     * database whose events are in no Kafka yet may take the first that it meets.
     */
    async pinKafka({ clusterId, topicId }: KafkaIdentity, isProven: boolean): Promise<void> {
      await pool.query(
        `update topic set kafka_cluster_id = $1, kafka_topic_id = $2
          where kafka_cluster_id is null and ($3 or not exists (select from relay_partitions where next_offset > 0))`,
        [clusterId, topicId, isProven],
      )
    },

    /**
     * Confirms the open batch and names the next one, which is empty if no rows wait or `rowsMax` is 0.
     *
     * @throws LaneMovedError, ForeignRowsError; after any other error it may or may not have been applied.
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
      const chosen = first.id === null ? [] : (rows as OutboxRow[])
      return {
        seq,
        batchId,
        rows: chosen,
        isFull: chosen.length > 0 && (first.is_cut || chosen.length === rowsMax),
        oldestAgeMs: oldestAgeMs ?? undefined,
      }
    },

    /** The rows of the open batch, in the order in which it was named. */
    async readOpenBatch(partition: number, token: string, batchSeq: number): Promise<OutboxRow[]> {
      const { rows } = await pool.query<OutboxRow>(OPEN_BATCH_ROWS, [partition, token, batchSeq])
      return rows
    },

    /**
     * Records that a receipt without a batch was written.
     *
     * @throws LaneMovedError
     */
    async noteReceipt(partition: number, token: string, nextOffset: number): Promise<void> {
      const { rowCount } = await pool.query(
        `update relay_partitions set receipt_at = now(), next_offset = $3, resolved_end = null
          where partition = $1 and lease_token = $2 and coalesce($3 >= next_offset, true)`,
        [partition, token, nextOffset],
      )
      if (rowCount !== 1)
        throw new LaneMovedError(`partition ${partition} is no longer before ${nextOffset}, or its lease is gone`)
    },

    /**
     * Stops a partition until an operator resolves it. Returns false, and changes nothing, if the partition has moved
     * on: a replica that lost its lease must not halt the partition of the new holder.
     */
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

    /** Returns those of the partitions that have rows in no batch yet. */
    async partitionsWithRows(partitions: readonly number[]): Promise<number[]> {
      const { rows } = await pool.query({ name: 'relay-with-rows', text: WITH_ROWS, values: [partitions] })
      return rows.map((row) => row.partition)
    },
  }
}

export type Outbox = ReturnType<typeof createOutbox>
