import { randomUUID } from 'node:crypto'
import { claimInstallation } from '@streamledger/db'
import { partitionFor } from '@streamledger/events'
import { expect, type TopicRecord, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'

/** One installation: what a relay's environment and the rows it publishes have in common. */
export interface Installation {
  installationId: string
  topic: string
  partitions: number
}

export async function makeInstallation(pool: Pool, partitions: number): Promise<Installation> {
  const installation = { installationId: randomUUID(), topic: `relay-${randomUUID()}`, partitions }
  await claimInstallation(pool, installation)
  return installation
}

export function relayEnvironment(database: { url: string }, brokers: string, installation: Installation) {
  return {
    DATABASE_URL: database.url,
    KAFKA_BROKERS: brokers,
    KAFKA_TOPIC: installation.topic,
    INSTALLATION_ID: installation.installationId,
    TOPIC_PARTITIONS: String(installation.partitions),
  }
}

/** Inserts rows as the API would: per key a sequence that rises with the outbox id. */
export async function insertRows(
  pool: Pool,
  { partitions }: Installation,
  counts: { keys: number; rows: number; from?: number },
) {
  const { keys, rows, from = 1 } = counts
  const places = Array.from({ length: rows }, (_, index) => index)
  const keyOf = (index: number): string => String(1 + (index % keys))
  await pool.query(
    `insert into outbox (partition, key, payload, headers)
     select * from unnest($1::int[], $2::text[], $3::text[], $4::json[])`,
    [
      places.map((index) => partitionFor(keyOf(index), partitions)),
      places.map(keyOf),
      places.map((index) => JSON.stringify({ key: keyOf(index), sequence: from + Math.floor(index / keys) })),
      places.map((index) => JSON.stringify({ ce_id: `${from}-${index}` })),
    ],
  )
}

export async function countOutbox(pool: Pool): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as count from outbox')
  return rows[0].count
}

export interface FlowOptions {
  keys: number
  /** What may wait: more would tell how fast the machine is. */
  waitingMax: number
  timeoutMs: number
}

/** Inserts one row of each key, again and again, as they are published, until it is stopped. */
export function startFlow(pool: Pool, installation: Installation, { keys, waitingMax, timeoutMs }: FlowOptions) {
  let inserted = 0
  let stopped = false
  const inserting = (async () => {
    for (let round = 1; !stopped; round += 1) {
      await insertRows(pool, installation, { keys, rows: keys, from: round })
      inserted += keys
      await waitFor(async () => (await countOutbox(pool)) <= waitingMax, { timeoutMs, intervalMs: 20 })
    }
    return inserted
  })()
  inserting.catch(() => {}) // not unhandled: `stop` awaits it
  return {
    /** So many rows that were not there before are published. */
    flowed: async (rows: number): Promise<void> => {
      const before = inserted
      await waitFor(async () => inserted - (await countOutbox(pool)) >= before + rows, { timeoutMs })
    },
    /** Says how many rows it has inserted. */
    stop: (): Promise<number> => {
      stopped = true
      return inserting
    },
  }
}

/** How many partitions each replica holds, most first. */
export async function readShares(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query(
    `select count(*)::int as held from relay_partitions where lease_owner is not null and lease_expires_at > now()
      group by lease_owner order by held desc`,
  )
  return rows.map(({ held }) => held)
}

export const sharesBecome = (pool: Pool, shares: number[]): Promise<void> =>
  waitFor(async () => expect(await readShares(pool)).toEqual(shares), { timeoutMs: 15_000 }).then(() => {})

export interface Verdict {
  distinct: number
  doubled: number
  outOfOrder: number
}

/** What a consumer that trusts nothing makes of the records: each sequence of each key once, and rising. */
export function examine(records: readonly TopicRecord[]): Verdict {
  const seen = new Set<string>()
  const last = new Map<string, number>()
  const verdict = { distinct: 0, doubled: 0, outOfOrder: 0 }
  for (const { value } of records) {
    const { key, sequence } = JSON.parse(value ?? '') as { key: string; sequence: number }
    const identity = `${key}/${sequence}`
    if (seen.has(identity)) {
      verdict.doubled += 1
      continue
    }
    seen.add(identity)
    verdict.distinct += 1
    if (sequence !== (last.get(key) ?? 0) + 1) verdict.outOfOrder += 1
    last.set(key, sequence)
  }
  return verdict
}
