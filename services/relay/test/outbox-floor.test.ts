import { randomUUID } from 'node:crypto'
import { expect, test, waitFor } from '@streamledger/testkit'
import pg, { type Pool, type PoolClient } from 'pg'
import { createOutbox, type Intent, STATEMENTS } from '../src/outbox.ts'

const ROWS_MAX = 100
const LIMITS = { rowsMax: ROWS_MAX, bytesMax: 1_000_000 }
/** Tests beside this one have transactions, too. */
const PATIENT = { timeoutMs: 30_000 }

/** A lane of its own for a test, and where it stands; the relay may have connections of its own. */
async function makeLane(pool: Pool, relay = pool) {
  const token = randomUUID()
  const { rows } = await pool.query(
    `insert into relay_partitions (partition, lease_owner, lease_token, lease_expires_at)
     select coalesce(max(partition), 0) + 1, $1, $1, now() + interval '1 hour' from relay_partitions returning partition`,
    [token],
  )
  const { partition } = rows[0]
  let batchSeq = 0
  const outbox = createOutbox(relay)
  return {
    ...{ partition, token, seq: () => batchSeq },
    async intend(more: Partial<Intent> = {}): Promise<string[]> {
      const batch = await outbox.intend({ partition, token, batchSeq, nextOffset: undefined, ...LIMITS, ...more })
      batchSeq = batch.seq
      return batch.rows.map(({ payload }) => payload)
    },
    async floor(): Promise<{ floor: number; next: number }> {
      const floors = await pool.query(
        'select floor_id as floor, floor_next_id as next from relay_partitions where partition = $1',
        [partition],
      )
      return floors.rows[0]
    },
  }
}

type Lane = Awaited<ReturnType<typeof makeLane>>

const INSERT = `insert into outbox (partition, key, payload, headers) select $1, 'k', $2 || n, '{}' from generate_series(1, $3::int) n returning id`

/** Returns the last id. */
async function insert(pool: Pick<Pool, 'query'>, partition: number, payload: string, rows = 1): Promise<number> {
  const inserted = await pool.query<{ id: number }>(INSERT, [partition, payload, rows])
  return inserted.rows.at(-1)?.id ?? Number.NaN
}

/** Publishes all rows until the floor has reached them; tests that run at the same time have transactions, too. */
async function drain(lane: Lane, lastId: number): Promise<void> {
  await waitFor(async () => {
    while ((await lane.intend()).length > 0);
    expect((await lane.floor()).floor).toBeGreaterThanOrEqual(lastId)
  }, PATIENT)
}

interface Plan {
  'Relation Name'?: string
  'Node Type': string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}

interface Reading {
  nodes: string[]
  rows: number
  blocks: number
}

/** What a statement reads of the outbox, planned once and for all values, as the relay has it planned. */
async function explain(client: PoolClient, statement: string, values: string): Promise<Reading> {
  await client.query(`set plan_cache_mode = force_generic_plan; deallocate all; prepare examined as ${statement}`)
  const { rows } = await client.query(`explain (analyze, buffers, format json) execute examined (${values})`)
  const nodes: Plan[] = []
  const walk = (plan: Plan): void => {
    nodes.push(plan)
    plan.Plans?.forEach(walk)
  }
  walk(rows[0]['QUERY PLAN'][0].Plan)
  const reads = nodes.filter((node) => node['Relation Name'] === 'outbox' && node['Node Type'] !== 'ModifyTable')
  const sum = (of: (plan: Plan) => number): number => reads.reduce((total, plan) => total + of(plan), 0)
  return {
    nodes: reads.map((node) => node['Node Type']),
    rows: sum((plan) => (plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0)) * plan['Actual Loops']),
    blocks: sum((plan) => plan['Shared Hit Blocks'] + plan['Shared Read Blocks']),
  }
}

const explainIntent = (client: PoolClient, { partition, token, seq }: Lane): Promise<Reading> =>
  explain(client, STATEMENTS.intend, `${partition}, '${token}', ${seq()}, ${ROWS_MAX}, 1000000, null`)

test('a row whose transaction is open across many batches is neither lost nor passed by the floor', async ({
  database: { pool },
}) => {
  const lane = await makeLane(pool)
  const late = await pool.connect()
  try {
    await insert(pool, lane.partition, 'first')
    await lane.intend()
    await late.query('begin')
    const lateId = await insert(late, lane.partition, 'late')
    for (let batch = 0; batch < 50; batch += 1) {
      await insert(pool, lane.partition, `batch ${batch}: `)
      expect(await lane.intend()).toEqual([`batch ${batch}: 1`])
      // Now and then with nothing to choose, and with none asked for.
      if (batch % 10 === 0) expect(await lane.intend({ rowsMax: batch === 20 ? 0 : ROWS_MAX })).toEqual([])
      expect((await lane.floor()).floor).toBeLessThan(lateId)
    }
    await late.query('commit')
    const lastId = await insert(pool, lane.partition, 'after')
    expect(await lane.intend()).toEqual(['late1', 'after1'])
    await drain(lane, lastId)
  } finally {
    late.release()
  }
})

test('a transaction that has drawn an id has a transaction id by then', async ({ database: { pool } }) => {
  const { rows } = await pool.query<{ draw: string }>(
    `select pg_get_expr(adbin, adrelid) as draw from pg_attrdef
      where adrelid = 'outbox'::regclass and adnum = (select attnum from pg_attribute where attrelid = adrelid and attname = 'id')`,
  )
  const client = await pool.connect()
  try {
    // A sequence by itself gives one to each 32nd who draws, for the log's sake.
    for (let draw = 0; draw < 2; draw += 1) {
      await client.query('begin')
      await client.query(`select ${rows[0]?.draw}`)
      const { rows: drawn } = await client.query('select pg_current_xact_id_if_assigned() as xid')
      await client.query('rollback')
      expect(drawn[0].xid).not.toBeNull()
    }
    const { rows: sequences } = await client.query(
      `select seqcache::int as cache from pg_sequence where seqrelid = 'outbox_ids'::regclass`,
    )
    expect(sequences).toEqual([{ cache: 1 }])
  } finally {
    client.release()
  }
})

test('an intent that waits for its partition does not count what was drawn meanwhile', async ({
  database: { pool },
}) => {
  const lane = await makeLane(pool)
  const [holder, watcher] = [await pool.connect(), await pool.connect()]
  try {
    const before = await insert(pool, lane.partition, 'before')
    await holder.query('begin')
    // As the renewal of the lease does, which is why an intent is evaluated anew after the wait.
    await holder.query('update relay_partitions set lease_expires_at = now() where partition = $1', [lane.partition])
    const intent = lane.intend()
    await waitFor(async () => {
      const { rows } = await watcher.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      expect(rows).toHaveLength(1)
    })
    const meanwhile = await insert(watcher, lane.partition, 'meanwhile')
    await holder.query('commit')
    expect(await intent).toEqual(['before1'])
    const { next } = await lane.floor()
    expect(next).toBeGreaterThanOrEqual(before)
    expect(next).toBeLessThan(meanwhile)
  } finally {
    holder.release()
    watcher.release()
  }
})

test('a backlog of several batches is published whole and in order, with the floor behind it', async ({
  database: { pool },
}) => {
  const lane = await makeLane(pool)
  const rows = 2 * ROWS_MAX + 50
  const lastId = await insert(pool, lane.partition, 'row ', rows)
  const published: string[] = []
  while (published.length < rows) {
    // As a lane that is handed over does: it confirms what it has published, and asks for no more.
    await lane.intend({ rowsMax: 0 })
    const batch = await lane.intend()
    expect(batch).not.toEqual([])
    published.push(...batch)
  }
  expect(published).toEqual(Array.from({ length: rows }, (_, index) => `row ${index + 1}`))
  await drain(lane, lastId)
})

test('a mark that is settled leads the floor through its whole backlog, whatever is open since', async ({
  database: { pool },
}) => {
  const lane = await makeLane(pool)
  const old = await pool.connect()
  try {
    const rows = 20
    const lastId = await insert(pool, lane.partition, 'row ', rows)
    // With a limit of 0 bytes it reads the first row, and chooses none.
    await waitFor(async () => {
      expect(await lane.intend({ bytesMax: 0 })).toEqual([])
      expect((await lane.floor()).floor).toBeGreaterThan(0)
    }, PATIENT)
    await old.query('begin')
    await old.query('select pg_current_xact_id()')
    for (let row = 1; row <= rows; row += 1) expect(await lane.intend({ rowsMax: 1 })).toEqual([`row ${row}`])
    await lane.intend()
    expect((await lane.floor()).floor).toBeGreaterThanOrEqual(lastId)
  } finally {
    await old.query('rollback')
    old.release()
  }
})

test('an id that is drawn after the snapshot of an intent, and before its mark, is not taken for settled with it', async ({
  createDatabase,
}) => {
  const { pool, url } = await createDatabase()
  // What the intent sees of the sequence, it sees when this lock is free.
  await pool.query(`
    create schema held;
    create function held.look() returns table (last_value bigint, is_called boolean) language plpgsql as $$ begin
      perform pg_advisory_xact_lock_shared(1);
      return query select ids.last_value, ids.is_called from public.outbox_ids ids;
    end $$;
    create view held.outbox_ids as select * from held.look()`)
  const held = new pg.Pool({ connectionString: url, options: '-c search_path=held,public' })
  const lane = await makeLane(pool, held)
  const [holder, late] = [await pool.connect(), await pool.connect()]
  try {
    await holder.query('select pg_advisory_lock(1)')
    const intent = lane.intend()
    await waitFor(async () => {
      const { rows } = await holder.query(
        `select from pg_locks where locktype = 'advisory' and not granted
            and database = (select oid from pg_database where datname = current_database())`,
      )
      expect(rows).toHaveLength(1)
    })
    await late.query('begin')
    const lateId = await insert(late, lane.partition, 'late')
    await holder.query('select pg_advisory_unlock(1)')
    expect(await intent).toEqual([])
    expect((await lane.floor()).next).toBeGreaterThanOrEqual(lateId)

    expect(await lane.intend()).toEqual([])
    expect((await lane.floor()).floor).toBeLessThan(lateId)
    await late.query('commit')
    expect(await lane.intend()).toEqual(['late1'])
  } finally {
    holder.release()
    late.release()
    await held.end()
  }
})

test('dead rows that an old reader keeps in the index slow neither the intent nor the poll', async ({
  database: { pool },
}) => {
  const lane = await makeLane(pool)
  const [reader, client] = [await pool.connect(), await pool.connect()]
  try {
    await reader.query('begin isolation level repeatable read')
    await reader.query('select count(*) from outbox')
    await drain(lane, await insert(pool, lane.partition, 'dead', 5_000))
    await insert(pool, lane.partition, 'alive', 10)

    const poll = await explain(client, STATEMENTS.withRows, `'{${lane.partition}}'`)
    expect(poll).toMatchObject({ nodes: ['Index Scan'], rows: 1 })
    expect(poll.blocks).toBeLessThan(20)
    expect(await lane.intend()).toHaveLength(10)
    await insert(pool, lane.partition, 'next', 10)
    // It passes the ten of the open batch to choose the ten after them, and deletes the former.
    const intent = await explainIntent(client, lane)
    expect(intent.rows).toBe(30)
    expect(intent.blocks).toBeLessThan(60)
  } finally {
    await reader.query('rollback')
    reader.release()
    client.release()
  }
})

test.for([
  ['before statistics know of it', false],
  ['with statistics', true],
] as const)(
  'a backlog, its own and that of others, is not read beyond a batch: %s',
  async ([, isAnalysed], { createDatabase }) => {
    const { pool } = await createDatabase()
    const [lane, other] = [await makeLane(pool), await makeLane(pool)]
    const client = await pool.connect()
    try {
      await insert(pool, other.partition, 'foreign', 50_000)
      await insert(pool, lane.partition, 'own', 20_000)
      if (isAnalysed) await client.query('analyze outbox')
      expect(await lane.intend()).toHaveLength(ROWS_MAX)
      // The rows of the open batch, which this one deletes, are looked at in order to choose and in order to delete.
      const { rows } = await explainIntent(client, lane)
      expect(rows).toBeLessThanOrEqual(3 * ROWS_MAX)
      const poll = await explain(client, STATEMENTS.withRows, `'{${lane.partition},${other.partition}}'`)
      expect(poll.rows).toBeLessThanOrEqual(ROWS_MAX + 2)
    } finally {
      client.release()
    }
  },
)
