import type { Pool } from 'pg'

export interface PartitionLease {
  partition: number
  token: string
}

export interface ClaimedLease extends PartitionLease {
  /** The lease of another replica expired: that replica died or was stuck. */
  takenOver: boolean
}

export interface RenewedLease extends PartitionLease {
  /** The receipt is so old that Kafka may soon delete it. */
  receiptStale: boolean
}

export interface Survey {
  /** How many partitions this replica should hold. */
  share: number
  /** Time until the first lease of another replica expires, unless renewed; null: no other replica holds one. */
  nextExpiryMs: number | null
  /** Whether another replica lives whose steps with Kafka succeed. */
  anotherIsWell: boolean
}

/** Kafka deletes a group's offsets after a week without a commit (offsets.retention.minutes); this leaves six days. */
const RECEIPT_STALE = '1 day'

// After a fail-over the clock of Postgres may be behind that of the server before. What a dead replica wrote is then in
// the future, and would be valid until the clock is there.

/** The longest that RELAY_LEASE_MS allows, of any replica: a lease that expires later was written by another clock. */
const LEASE_MAX = '60 seconds'

/** The share of one replica among `instances`, by its rank. Shares differ by at most one and add up to `partitions`. */
export function fairShare(partitions: number, instances: number, rank: number): number {
  return Math.floor(partitions / instances) + (rank < partitions % instances ? 1 : 0)
}

/** The tables by which replicas share partitions. Only the clock of Postgres is used. */
export function createLeases(pool: Pool, instanceId: string, leaseMs: number) {
  const lease = `${leaseMs} milliseconds`
  const beats = (interval: string) => `heartbeat_at > now() - ${interval} and heartbeat_at < now() + ${interval}`
  return {
    /**
     * Records this replica's heartbeat and returns its share. A replica without a heartbeat for one lease is not
     * counted. `isFailing`: its steps with Kafka fail.
     */
    async survey(isFailing: boolean): Promise<Survey> {
      await pool.query(
        `with gone as (delete from relay_instances where id <> $1 and not (${beats(`interval '1 hour'`)}))
         insert into relay_instances as i (id, failing_since) values ($1, case when $2 then now() end)
             on conflict (id) do update
            set heartbeat_at = now(), failing_since = case when $2 then coalesce(i.failing_since, now()) end`,
        [instanceId, isFailing],
      )
      const { rows } = await pool.query(
        `select (select count(*)::int from relay_partitions where halted_at is null) as partitions,
                count(*)::int as instances, (count(*) filter (where id < $1))::int as rank,
                (select ceil(1000 * extract(epoch from min(lease_expires_at) - now()))::int
                   from relay_partitions where halted_at is null and lease_owner <> $1) as next_expiry_ms,
                coalesce(bool_or(id <> $1 and failing_since is null), false) as another_is_well
           from relay_instances where ${beats('$2::interval')}`,
        [instanceId, lease],
      )
      const { partitions, instances, rank, next_expiry_ms: nextExpiryMs, another_is_well: anotherIsWell } = rows[0]
      return { share: fairShare(partitions, Math.max(1, instances), rank), nextExpiryMs, anotherIsWell }
    },

    /** Whether another replica has a heartbeat. */
    async anotherLives(): Promise<boolean> {
      const { rowCount } = await pool.query(
        `select from relay_instances where id <> $1 and ${beats('$2::interval')} limit 1`,
        [instanceId, lease],
      )
      return rowCount === 1
    },

    /** Takes up to `count` partitions that have no holder or an expired lease. */
    async claim(count: number): Promise<ClaimedLease[]> {
      const { rows } = await pool.query<ClaimedLease>(
        `update relay_partitions p
            set lease_owner = $1, lease_token = gen_random_uuid(), lease_expires_at = now() + $2::interval
           from (select partition from relay_partitions
                  where halted_at is null
                    and (lease_owner is null or lease_expires_at < now()
                         or lease_expires_at > now() + interval '${LEASE_MAX}')
                  order by partition limit $3 for update skip locked) free
          where p.partition = free.partition
         returning p.partition, p.lease_token as token, coalesce(old.lease_owner <> $1, false) as "takenOver"`,
        [instanceId, lease, count],
      )
      return rows
    },

    /** Renews leases and returns those that were renewed; the others are lost. */
    async renew(leases: readonly PartitionLease[]): Promise<RenewedLease[]> {
      const { rows } = await pool.query<RenewedLease>(
        `update relay_partitions p set lease_expires_at = now() + $3::interval
           from unnest($1::int[], $2::uuid[]) as mine (partition, token)
          where p.partition = mine.partition and p.lease_token = mine.token
         returning p.partition, p.lease_token as token,
                   coalesce(p.receipt_at < now() - interval '${RECEIPT_STALE}'
                            or p.receipt_at > now() + interval '${RECEIPT_STALE}', true) as "receiptStale"`,
        [leases.map(({ partition }) => partition), leases.map(({ token }) => token), lease],
      )
      return rows
    },

    async release({ partition, token }: PartitionLease): Promise<void> {
      await pool.query(
        `update relay_partitions set lease_owner = null, lease_token = null, lease_expires_at = null
          where partition = $1 and lease_token = $2`,
        [partition, token],
      )
    },

    /** Removes this replica from the list, so that the others take over its partitions at once. */
    async leave(): Promise<void> {
      await pool.query('delete from relay_instances where id = $1', [instanceId])
    },
  }
}

export type Leases = ReturnType<typeof createLeases>
