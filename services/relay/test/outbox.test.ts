import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { createOutbox, ForeignRowsError, type Intent, LaneMovedError } from '../src/outbox.ts'
import { createLeases } from '../src/partition-lease.ts'

const LIMITS = { rowsMax: 100, bytesMax: 1_000_000 }

/** A lane of its own for a test: a partition that no other test uses, held by a lease. */
async function makeLane(pool: Pool) {
  const { rows } = await pool.query(
    'insert into relay_partitions (partition) select coalesce(max(partition), 0) + 1 from relay_partitions returning partition',
  )
  const { partition } = rows[0]
  const token = randomUUID()
  await pool.query(
    `update relay_partitions set lease_owner = $2, lease_token = $2, lease_expires_at = now() + interval '1 minute' where partition = $1`,
    [partition, token],
  )
  const intent = (batchSeq: number, more: Partial<Intent> = {}): Intent => ({
    ...{ partition, token, batchSeq, nextOffset: undefined },
    ...LIMITS,
    ...more,
  })
  return { partition, token, intent }
}

const INSERT = `insert into outbox (partition, key, payload, headers) values ($1, 'k', $2, '{}') returning id`

async function insert(pool: Pick<Pool, 'query'>, partition: number, payload: string): Promise<number> {
  const { rows } = await pool.query(INSERT, [partition, payload])
  return rows[0].id
}

async function payloadsLeft(pool: Pool, partition: number): Promise<string[]> {
  const { rows } = await pool.query('select payload from outbox where partition = $1 order by id', [partition])
  return rows.map(({ payload }) => payload)
}

const payloads = (batch: { rows: { payload: string }[] }): string[] => batch.rows.map(({ payload }) => payload)

test('an intent names what waits, and the next one deletes it and names what has come since', async ({
  database: { pool },
}) => {
  const outbox = createOutbox(pool)
  const { partition, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await insert(pool, partition, 'b')

  const first = await outbox.intend(intent(0))
  expect({ seq: first.seq, rows: payloads(first) }).toEqual({ seq: 1, rows: ['a', 'b'] })
  expect(await payloadsLeft(pool, partition)).toEqual(['a', 'b'])

  await insert(pool, partition, 'c')
  const second = await outbox.intend(intent(1, { nextOffset: 2 }))
  expect({ seq: second.seq, rows: payloads(second) }).toEqual({ seq: 2, rows: ['c'] })
  expect(await payloadsLeft(pool, partition)).toEqual(['c'])
  expect(second.batchId).not.toBe(first.batchId)
})

test('a row that commits late with a lower id is in no earlier batch, and in the next one', async ({
  database: { pool },
}) => {
  const outbox = createOutbox(pool)
  const { partition, token, intent } = await makeLane(pool)
  const late = await pool.connect()
  try {
    await late.query('begin')
    const lateId = await insert(late, partition, 'late')
    const earlyId = await insert(pool, partition, 'early')
    expect(lateId).toBeLessThan(earlyId)

    expect(payloads(await outbox.intend(intent(0)))).toEqual(['early'])
    await late.query('commit')
    // The open batch is still what it was, to a reader and to the delete that confirms it.
    expect(payloads({ rows: await outbox.readOpenBatch(partition, token, 1) })).toEqual(['early'])
    expect(payloads(await outbox.intend(intent(1)))).toEqual(['late'])
    expect(await payloadsLeft(pool, partition)).toEqual(['late'])
  } finally {
    late.release()
  }
})

test('an intent on a stale number or a foreign lease deletes nothing and names nothing', async ({
  database: { pool },
}) => {
  const outbox = createOutbox(pool)
  const { partition, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await outbox.intend(intent(0))
  await insert(pool, partition, 'b')

  await expect(outbox.intend(intent(0))).rejects.toThrow(LaneMovedError)
  await expect(outbox.intend(intent(1, { token: randomUUID() }))).rejects.toThrow(LaneMovedError)
  expect(await payloadsLeft(pool, partition)).toEqual(['a', 'b'])
})

test('what is confirmed never goes back: neither an intent nor a receipt by itself lowers the offset', async ({
  database: { pool },
}) => {
  const outbox = createOutbox(pool)
  const { partition, token, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await outbox.intend(intent(0, { nextOffset: 36 }))
  await expect(outbox.intend(intent(1, { nextOffset: 17 }))).rejects.toThrow(LaneMovedError)
  await expect(outbox.noteReceipt(partition, token, 17)).rejects.toThrow(LaneMovedError)
  expect(await payloadsLeft(pool, partition)).toEqual(['a'])
  expect(await outbox.readLane(partition, token)).toMatchObject({ batchSeq: 1, nextOffset: 36 })
  await outbox.intend(intent(1, { nextOffset: 36 }))
  await outbox.noteReceipt(partition, token, 37)
  expect(await outbox.readLane(partition, token)).toMatchObject({ nextOffset: 37 })
})

test('an empty intent confirms the last batch and leaves none open', async ({ database: { pool } }) => {
  const outbox = createOutbox(pool)
  const { partition, token, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await outbox.intend(intent(0))

  expect(await outbox.intend(intent(1, { nextOffset: 7 }))).toMatchObject({ seq: 1, rows: [] })
  expect(await payloadsLeft(pool, partition)).toEqual([])
  expect(await outbox.readLane(partition, token)).toEqual({ partition, batchSeq: 1, batch: undefined, nextOffset: 7 })
})

test('a confirmation leaves new rows alone when it asks for none', async ({ database: { pool } }) => {
  const outbox = createOutbox(pool)
  const { partition, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await outbox.intend(intent(0))
  await insert(pool, partition, 'b')

  expect(await outbox.intend(intent(1, { rowsMax: 0 }))).toMatchObject({ seq: 1, rows: [] })
  expect(await payloadsLeft(pool, partition)).toEqual(['b'])
})

test('a batch is bounded by rows and by bytes, and what is beyond is neither of it nor deleted with it', async ({
  database: { pool },
}) => {
  const outbox = createOutbox(pool)
  const { partition, token, intent } = await makeLane(pool)
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(10)) as [string, string, string, string]
  for (const payload of [a, b, c]) await insert(pool, partition, payload)

  expect(payloads(await outbox.intend(intent(0, { rowsMax: 2 })))).toEqual([a, b])
  expect(payloads({ rows: await outbox.readOpenBatch(partition, token, 1) })).toEqual([a, b])
  await insert(pool, partition, d)
  // Two rows of ten bytes and two of headers each.
  expect(payloads(await outbox.intend(intent(1, { bytesMax: 24 })))).toEqual([c, d])
  expect(await payloadsLeft(pool, partition)).toEqual([c, d])
})

test('rows of another history of the database are refused, not skipped', async ({ database: { pool } }) => {
  const outbox = createOutbox(pool)
  const { partition, intent } = await makeLane(pool)
  await pool.query(
    `insert into outbox (partition, key, payload, headers, xid) values ($1, 'k', 'future', '{}', '900000000000'::xid8)`,
    [partition],
  )
  await expect(outbox.intend(intent(0))).rejects.toThrow(ForeignRowsError)
  expect(await payloadsLeft(pool, partition)).toEqual(['future'])
})

test('partitions whose rows are all in the open batch do not ring', async ({ database: { pool } }) => {
  const outbox = createOutbox(pool)
  const { partition, intent } = await makeLane(pool)
  expect(await outbox.partitionsWithRows([partition])).toEqual([])
  await insert(pool, partition, 'a')
  expect(await outbox.partitionsWithRows([partition])).toEqual([partition])
  await outbox.intend(intent(0))
  expect(await outbox.partitionsWithRows([partition])).toEqual([])
  await insert(pool, partition, 'b')
  expect(await outbox.partitionsWithRows([partition])).toEqual([partition])
})

test('a zombie halts nobody: not after the lease went, not after the batch moved on', async ({
  database: { pool },
}) => {
  const outbox = createOutbox(pool)
  const { partition, token, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await outbox.intend(intent(0))

  expect(await outbox.halt(partition, randomUUID(), 1, 'foreign')).toBe(false)
  expect(await outbox.halt(partition, token, 0, 'stale')).toBe(false)
  expect(await outbox.halt(partition, token, 1, 'told')).toBe(true)
  expect(await outbox.readLane(partition, token)).toBeUndefined()
})

test('a partition that somebody halts by hand is read, moved and taken by nobody, though its lease goes on', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const outbox = createOutbox(pool)
  const { partition, token, intent } = await makeLane(pool)
  await insert(pool, partition, 'a')
  await outbox.intend(intent(0))
  await pool.query(`update relay_partitions set halted_at = now(), halted_reason = 'by hand'`)

  await expect(outbox.intend(intent(1))).rejects.toThrow(LaneMovedError)
  expect(await outbox.readLane(partition, token)).toBeUndefined()
  expect(await payloadsLeft(pool, partition)).toEqual(['a'])
  await pool.query(`update relay_partitions set lease_expires_at = now() - interval '1 ms'`)
  expect(await createLeases(pool, randomUUID(), 60_000).claim(1)).toEqual([])
})

test('a lease that has not run out is nobody else to take, and one that has is lost to its holder', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  await pool.query('insert into relay_partitions (partition) values (0), (1)')
  const [first, second] = [createLeases(pool, randomUUID(), 60_000), createLeases(pool, randomUUID(), 60_000)]

  const [held] = await first.claim(1)
  expect(held).toMatchObject({ partition: 0 })
  expect((await second.claim(5)).map(({ partition }) => partition)).toEqual([1])
  expect(await second.claim(5)).toEqual([])

  await pool.query(`update relay_partitions set lease_expires_at = now() - interval '1 ms' where partition = 0`)
  expect((await second.claim(5)).map(({ partition }) => partition)).toEqual([0])
  expect(held && (await first.renew([held]))).toEqual([])
})
