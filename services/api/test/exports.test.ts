import { randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import { sql } from 'kysely'
import { onTestFinished, vi } from 'vitest'
import { cancelExport } from '../src/ledger/exports.ts'
import { describe, expect, startApi, test, waitFor } from './api.ts'
import type { Client } from './client.ts'

const order = (client: Client, body?: object | null, key?: string) =>
  client.call('POST', '/transactions/export', {
    ...(body !== undefined && { body }),
    ...(key !== undefined && { headers: { 'idempotency-key': key } }),
  })

const exportsOf = (db: Db, { account }: Client) =>
  db.selectFrom('exports').selectAll().where('wallet_id', '=', account.wallet.wallet_id).execute()

async function jobsOf(db: Db, export_id: string): Promise<{ task_identifier: string; payload: unknown }[]> {
  const { rows } = await sql<{ task_identifier: string; payload: unknown }>`
    select jobs.task_identifier, job.payload
      from graphile_worker.jobs jobs join graphile_worker._private_jobs job using (id)
     where job.payload ->> 'export_id' = ${export_id}`.execute(db)
  return rows
}

describe('ordering an export', () => {
  test('writes its row and its job, and says where to look', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    await client.post('credit', 5)
    await client.post('debit', 3)
    const filters = { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z', entry: 'debit' }
    const answer = await order(client, filters)
    expect(answer.status).toBe(202)
    expect(answer.json).toEqual({
      ...{ export_id: expect.any(String), status: 'queued', ...filters, rows_done: 0, rows_total: null, percent: null },
      ...{ size: null, sha256: null, file_url: null, finished_at: null, expires_at: null },
      created_at: expect.stringMatching(/Z$/),
    })
    const { export_id } = answer.json
    expect(answer.headers.get('location')).toBe(`/api/v1/transactions/exports/${export_id}`)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect((await client.get(`/${answer.headers.get('location')}`)).json).toEqual(answer.json)

    expect(await exportsOf(db, client)).toMatchObject([{ id: export_id, as_of_sequence: 2, entry: 'debit' }])
    expect(await jobsOf(db, export_id)).toEqual([{ task_identifier: 'export_transactions', payload: { export_id } }])
  })

  test("puts a user's second and third behind everybody's first", async ({ api, database: { db } }) => {
    const [busy, other] = [await api.signUp(), await api.signUp()]
    const ids: string[] = []
    for (const client of [busy, busy, busy, other]) ids.push((await order(client)).json.export_id)
    const { rows } = await sql<{ priority: number }>`
      select jobs.priority from unnest(${ids}::text[]) with ordinality as wanted (id, place)
        join graphile_worker.jobs on jobs.key = 'export_transactions:' || wanted.id order by place`.execute(db)
    expect(rows.map(({ priority }) => priority)).toEqual([0, 1, 2, 0])
  })

  test('needs no body for everything there is', async ({ api }) => {
    const client = await api.signUp()
    for (const body of [undefined, {}]) {
      expect(await order(client, body)).toMatchObject({ status: 202, json: { from: null, to: null, entry: null } })
    }
  })

  test.for([
    ['2026-01-01T00:00:00.000001Z', '2026-01-01T00:00:00.001Z'],
    ['2026-01-01T00:00:00.999999999Z', '2026-01-01T00:00:01.000Z'],
    ['2026-01-01T00:00:00.123000Z', '2026-01-01T00:00:00.123Z'],
    ['2026-01-01T00:00:00.10Z', '2026-01-01T00:00:00.100Z'],
    ['9999-12-31T23:59:59.9999999Z', '9999-12-31T23:59:59.999Z'],
  ])('from %s is from %s, as no transaction is between', async ([from, kept], { api }) => {
    const client = await api.signUp()
    expect((await order(client, { from, to: from })).json).toMatchObject({ from: kept, to: kept })
  })

  test('says that it was made when it had the wallet, not when it began to wait for it', async ({
    api,
    database: { db },
  }) => {
    const client = await api.signUp()
    const { wallet_id } = client.account.wallet
    const trx = await db.startTransaction().execute()
    await trx.selectFrom('wallets').select('id').where('id', '=', wallet_id).forUpdate().execute()
    const ordered = order(client)
    await waitFor(async () => {
      const { rows } = await sql`
        select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(db)
      return rows.length > 0
    })
    const { rows } = await sql<{ now: Date }>`select clock_timestamp()::timestamptz(3) as now`.execute(trx)
    await trx.commit().execute()
    const { created_at } = (await ordered).json
    expect(new Date(created_at).getTime()).toBeGreaterThanOrEqual((rows[0] as { now: Date }).now.getTime())
  })

  test('leaves neither a row nor a job when either cannot be written', async ({ createDatabase }) => {
    const broken = await createDatabase()
    const server = await startApi(broken.url)
    try {
      const client = await server.signUp()
      await sql`alter function graphile_worker.add_job rename to add_job_away`.execute(broken.db)
      expect(await order(client)).toMatchObject({ status: 500, json: { code: 'internal_error' } })
      expect(await exportsOf(broken.db, client)).toEqual([])
      await sql`alter function graphile_worker.add_job_away rename to add_job`.execute(broken.db)

      // The last step that can fail: the commit itself.
      await broken.pool.query(`
        create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
        create constraint trigger refuse after insert on exports deferrable initially deferred
          for each row execute function refuse()`)
      expect((await order(client)).status).toBe(500)
      expect(await exportsOf(broken.db, client)).toEqual([])
      const { rows } = await sql`select from graphile_worker.jobs`.execute(broken.db)
      expect(rows).toEqual([])
    } finally {
      await server.stop()
    }
  })

  test('stops at five unfinished ones, also when they are asked for at once, and goes on when one ends', async ({
    api,
    database: { db },
  }) => {
    const client = await api.signUp()
    const answers = await Promise.all(Array.from({ length: 9 }, () => order(client)))
    const refused = answers.filter(({ status }) => status === 429)
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(5)
    expect(refused).toHaveLength(4)
    expect(refused[0]?.json.code).toBe('too_many_exports')
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(await exportsOf(db, client)).toHaveLength(5)
    expect((await order(await api.signUp())).status).toBe(202)

    const [one] = await exportsOf(db, client)
    await client.call('DELETE', `/transactions/exports/${one?.id}`)
    expect((await order(client)).status).toBe(202)
    expect((await order(client)).status).toBe(429)
  })

  test('by its Idempotency-Key after it was cancelled says so, and that there is nothing to wait for', async ({
    api,
  }) => {
    const client = await api.signUp()
    const { json: first } = await order(client, {}, 'cancelled')
    expect((await client.call('DELETE', `/transactions/exports/${first.export_id}`)).status).toBe(204)
    const again = await order(client, {}, 'cancelled')
    expect(again).toMatchObject({ status: 200, json: { export_id: first.export_id, status: 'cancelled' } })
    expect(again.headers.get('retry-after')).toBeNull()
    expect(again.headers.get('location')).toBe(`/api/v1/transactions/exports/${first.export_id}`)
  })

  test('once with an Idempotency-Key, however often it is sent', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const body = { from: '2026-01-01T00:00:00Z' }
    const answers = await Promise.all(Array.from({ length: 8 }, () => order(client, body, 'k1')))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(202)
    expect((await order(client, { from: '2026-01-01T01:00:00+01:00' }, 'k1')).text).toBe(answers[0]?.text)
    const [row] = await exportsOf(db, client)
    expect(await jobsOf(db, row?.id ?? '')).toHaveLength(1)

    for (const other of [{}, { ...body, entry: 'debit' }, { ...body, to: '2027-01-01T00:00:00Z' }]) {
      expect(await order(client, other, 'k1')).toMatchObject({ status: 422, json: { code: 'idempotency_key_reused' } })
    }
    expect((await order(client, {}, 'k2')).status).toBe(202)
    expect((await order(await api.signUp(), {}, 'k1')).status).toBe(202)
    expect(await exportsOf(db, client)).toHaveLength(2)
  })

  test.for([
    ['an empty key', {}, ''],
    ['a key with a space', {}, 'a b'],
    ['a key of 256 characters', {}, 'k'.repeat(256)],
    ['an unknown field', { format: 'csv' }, 'k'],
    ['a date without a time', { from: '2026-01-01' }, 'k'],
    ['a range that runs backwards', { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'k'],
    ['another entry', { entry: 'CREDIT' }, 'k'],
    ['null for a filter', { entry: null }, 'k'],
    ['a list for a body', [], 'k'],
    ['null for a body', null, 'k'],
  ] as [string, object | null, string][])('refuses %s', async ([, body, key], { api, database: { db } }) => {
    const client = await api.signUp()
    expect(await order(client, body, key)).toMatchObject({ status: 400, json: { code: 'invalid_request' } })
    expect(await exportsOf(db, client)).toEqual([])
  })
})

describe('exports', () => {
  test('are listed newest first, in pages', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const { wallet_id } = client.account.wallet
    const created_at = new Date('2026-01-01T00:00:00Z')
    // All have the same created_at: only their ids differ.
    const rows = await db
      .insertInto('exports')
      .values(
        Array.from({ length: 7 }, () => ({
          ...{ wallet_id, created_at, status: 'cancelled' as const, as_of_sequence: 0 },
          ...noFilters,
        })),
      )
      .returning('id')
      .execute()
    const seen: string[] = []
    let cursor: string | null = ''
    for (let page = 0; page < 4 && cursor !== null; page += 1) {
      const { json } = await client.get(`/transactions/exports?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...json.data.map(({ export_id }: { export_id: string }) => export_id))
      cursor = json.pagination.next_cursor
    }
    expect(seen).toEqual(
      rows
        .map(({ id }) => id)
        .sort()
        .reverse(),
    )
    expect(cursor).toBeNull()
    expect((await client.get('/transactions/exports?limit=0')).status).toBe(400)
    expect((await client.get('/transactions/exports?cursor=abc')).status).toBe(400)
  })

  test.for([
    [0, null, null],
    [0, 3, 0],
    [2, 3, 66],
    [3, 3, 100],
    [0, 0, 100],
  ] as const)(
    'of which %s of %s rows are written are at %s percent',
    async ([rows_done, rows_total, percent], { api, database: { db } }) => {
      const client = await api.signUp()
      const { export_id } = (await order(client)).json
      await db
        .updateTable('exports')
        .set({ status: 'running', rows_done, rows_total })
        .where('id', '=', export_id)
        .execute()
      const { json } = await client.get(`/transactions/exports/${export_id}`)
      expect(json).toMatchObject({ status: 'running', rows_done, rows_total, percent })
    },
  )

  test('say why they have failed', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const { export_id } = (await order(client)).json
    await db.updateTable('exports').set({ status: 'failed', error: 'disk_full' }).where('id', '=', export_id).execute()
    const { json } = await client.get(`/transactions/exports/${export_id}`)
    expect(json).toMatchObject({ status: 'failed', problem: { code: 'disk_full', detail: expect.any(String) } })
    expect(await client.get(`/transactions/exports/${export_id}/file`)).toMatchObject({
      status: 409,
      json: { code: 'export_failed' },
    })
  })

  test('that are unfinished are cancelled, and after that removed', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    for (const status of ['queued', 'running'] as const) {
      const { export_id } = (await order(client)).json
      await db.updateTable('exports').set({ status }).where('id', '=', export_id).execute()
      const path = `/transactions/exports/${export_id}`
      expect(await client.call('DELETE', path)).toMatchObject({ status: 204, text: '' })
      expect((await client.get(path)).json).toMatchObject({ status: 'cancelled', finished_at: expect.any(String) })
      expect(await client.get(`${path}/file`)).toMatchObject({ status: 409, json: { code: 'export_cancelled' } })
      expect((await client.call('DELETE', path)).status).toBe(204)
      expect((await client.get(path)).status).toBe(404)
      expect((await client.call('DELETE', path)).status).toBe(404)
    }
  })

  test('are cancelled by the clock that they were ordered by', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const { export_id, created_at } = (await order(client)).json
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    onTestFinished(() => void vi.useRealTimers())
    await cancelExport(db, { open: vi.fn(), remove: vi.fn() }, client.account.user.user_id, export_id)
    vi.useRealTimers()
    const { finished_at } = (await client.get(`/transactions/exports/${export_id}`)).json
    expect(finished_at >= created_at).toBe(true)
  })

  test('of somebody else, or that never were, are not there', async ({ api, database: { db } }) => {
    const [ada, stranger] = [await api.signUp(), await api.signUp()]
    const { export_id } = (await order(ada)).json
    for (const id of [export_id, randomUUID()]) {
      const path = `/transactions/exports/${id}`
      for (const [method, target] of [
        ['GET', path],
        ['DELETE', path],
        ['GET', `${path}/file`],
      ] as const) {
        const answer = await stranger.call(method, target)
        expect(answer).toMatchObject({ status: 404, json: { code: 'export_not_found' } })
      }
    }
    expect((await stranger.get('/transactions/exports')).json.data).toEqual([])
    expect((await stranger.get('/transactions/exports/not-a-uuid')).status).toBe(404)
    expect(await exportsOf(db, ada)).toMatchObject([{ status: 'queued' }])
  })
})

const noFilters = { entry: null, from_at: null, to_at: null, idempotency_key: null }
