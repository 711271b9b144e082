import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { createLeases } from '../src/partition-lease.ts'

const LEASE_MS = 3_000

async function makeReplicas(pool: Pool) {
  await pool.query('insert into relay_partitions (partition) select * from generate_series(0, 3)')
  const ids = [randomUUID(), randomUUID()].sort() as [string, string]
  const [first, second] = ids.map((id) => createLeases(pool, id, LEASE_MS))
  if (!first || !second) throw new Error('there are two')
  return { ids, first, second }
}

// After a fail-over the clock of Postgres may be behind: what a dead replica wrote is then in the future.
const DEAD = `update relay_partitions set lease_owner = $1, lease_token = gen_random_uuid(), lease_expires_at = now() + $2::interval`

test('a lease further ahead than any can be is free to take, and one that may be valid is not', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const { first } = await makeReplicas(pool)
  await pool.query(DEAD, [randomUUID(), '59 seconds'])
  expect(await first.claim(4)).toEqual([])
  await pool.query(DEAD, [randomUUID(), '1 hour'])
  expect(await first.claim(4)).toHaveLength(4)
})

test('a replica whose last heartbeat is in the future is not counted, and in time not remembered', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const { ids, first } = await makeReplicas(pool)
  await pool.query(`insert into relay_instances (id, heartbeat_at) values ($1, now() + interval '10 minutes')`, [
    ids[1],
  ])
  expect(await first.survey(false)).toMatchObject({ share: 4, anotherIsWell: false })
  expect(await first.anotherLives()).toBe(false)
  await pool.query(`update relay_instances set heartbeat_at = now() + interval '2 hours'`)
  expect(await first.survey(false)).toMatchObject({ share: 4 })
  expect((await pool.query('select id from relay_instances')).rows).toEqual([{ id: ids[0] }])
})

test('a receipt that was written at a time that is still to come counts as old', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  const { first } = await makeReplicas(pool)
  const [lease] = await first.claim(1)
  const isStale = async (age: string) => {
    await pool.query('update relay_partitions set receipt_at = now() - $1::interval', [age])
    return lease && (await first.renew([lease]))[0]?.receiptStale
  }
  expect([await isStale('1 hour'), await isStale('25 hours'), await isStale('-25 hours')]).toEqual([false, true, true])
})

test('a replica whose steps with Kafka fail keeps its share, and the others do not take it for one that is well', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const { first, second } = await makeReplicas(pool)
  expect(await first.survey(true)).toMatchObject({ share: 4, anotherIsWell: false })
  expect(await second.survey(true)).toMatchObject({ share: 2, anotherIsWell: false })
  expect(await first.anotherLives()).toBe(true)
  expect(await second.survey(false)).toMatchObject({ anotherIsWell: false })
  expect(await first.survey(true)).toMatchObject({ share: 2, anotherIsWell: true })
  expect(await first.survey(false)).toMatchObject({ anotherIsWell: true })
  expect(await second.survey(false)).toMatchObject({ anotherIsWell: true })
  await first.leave()
  expect(await second.survey(false)).toMatchObject({ share: 4, anotherIsWell: false })
})

test('a replica of the release before, which says nothing about Kafka, is taken for one that is well', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const { ids, first } = await makeReplicas(pool)
  // As that release writes it.
  const beat = 'insert into relay_instances (id) values ($1) on conflict (id) do update set heartbeat_at = now()'
  await pool.query(beat, [ids[1]])
  expect(await first.survey(true)).toMatchObject({ share: 2, anotherIsWell: true })
})
