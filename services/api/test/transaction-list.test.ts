import { createHmac } from 'node:crypto'
import { sql } from 'kysely'
import { selectPage, type TransactionPageRequest } from '../src/ledger/transactions.ts'
import { describe, expect, SECRET, startApi, test } from './api.ts'
import type { Client, Json } from './client.ts'

/** Follows `next_cursor` to the end. */
async function readAll(client: Client, query: string): Promise<Json[]> {
  const all: Json[] = []
  let path = `/transactions?${query}`
  for (let page = 0; page < 100; page += 1) {
    const { status, json } = await client.get(path)
    expect(status).toBe(200)
    all.push(...json.data)
    if (json.pagination.next_cursor === null) return all
    path = `/transactions?limit=${json.pagination.limit}&cursor=${json.pagination.next_cursor}`
  }
  throw new Error('the pages do not end')
}

async function postMany(client: Client, count: number): Promise<void> {
  for (let index = 1; index <= count; index += 1) await client.post(index % 3 ? 'credit' : 'debit', index)
}

const sequences = (transactions: Json[]) => transactions.map(({ sequence }) => sequence)
const descending = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, index) => from - index)

describe('the list', () => {
  test('is complete and newest first, whatever the size of its pages', async ({ api }) => {
    const client = await api.signUp()
    await postMany(client, 25)
    for (const limit of [1, 7, 24, 25, 26, 200]) {
      expect(sequences(await readAll(client, `limit=${limit}`))).toEqual(descending(25, 1))
    }
    const { json } = await client.get('/transactions')
    expect(json.pagination).toEqual({ next_cursor: null, limit: 50 })
  })

  test('of an empty wallet is empty', async ({ api }) => {
    const { json } = await (await api.signUp()).get('/transactions')
    expect(json).toEqual({ data: [], pagination: { next_cursor: null, limit: 50 } })
  })

  test('neither shifts nor repeats while new transactions arrive', async ({ api }) => {
    const client = await api.signUp()
    await postMany(client, 10)
    const { json: first } = await client.get('/transactions?limit=4')
    await postMany(client, 5)
    const { json: second } = await client.get(`/transactions?limit=4&cursor=${first.pagination.next_cursor}`)
    expect(sequences([...first.data, ...second.data])).toEqual(descending(10, 3))
  })

  test("is the same for everyone who asks at once, and nobody else's", async ({ api }) => {
    const [ada, obi] = [await api.signUp(), await api.signUp()]
    await postMany(ada, 5)
    await postMany(obi, 2)
    const asks = Array.from({ length: 40 }, (_, index) => ({ client: index % 2 ? obi : ada, limit: 2 + (index % 3) }))
    const answers = await Promise.all(asks.map(({ client, limit }) => client.get(`/transactions?limit=${limit}`)))
    for (const [index, { client, limit }] of asks.entries()) {
      const last = client === ada ? 5 : 2
      const { data, pagination } = answers[index]?.json ?? {}
      expect(sequences(data)).toEqual(descending(last, Math.max(1, last - limit + 1)))
      expect(data[0].wallet_id).toBe(client.account.wallet.wallet_id)
      expect(pagination.next_cursor === null).toBe(last <= limit)
    }
  })

  test('links to its next page', async ({ api }) => {
    const client = await api.signUp()
    await postMany(client, 3)
    const { headers, json } = await client.get('/transactions?limit=2')
    const [, path] = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '') ?? []
    expect(path).toBe(`/api/v1/transactions?limit=2&cursor=${json.pagination.next_cursor}`)
    const last = await client.get(`/${path}`)
    expect(sequences(last.json.data)).toEqual([1])
    expect(last.headers.get('link')).toBeNull()
  })

  test('may be narrowed to one entry, page by page', async ({ api }) => {
    const client = await api.signUp()
    await postMany(client, 12)
    expect(sequences(await readAll(client, 'limit=2&entry=debit'))).toEqual([12, 9, 6, 3])
    expect(await readAll(client, 'limit=3&entry=credit')).toHaveLength(8)
  })

  test('may be narrowed to a time, from the first instant to before the last', async ({ api, database }) => {
    const client = await api.signUp()
    const { wallet_id } = client.account.wallet
    await database.db
      .insertInto('transactions')
      .values(
        descending(9, 1).map((sequence) => ({
          ...{ wallet_id, sequence, entry: 'credit' as const, amount: 1, balance: sequence, trans_id: `t${sequence}` },
          created_at: new Date(Date.UTC(2026, 0, Math.ceil(sequence / 3), 12)), // three a day
        })),
      )
      .execute()
    const list = async (query: string) => sequences(await readAll(client, `limit=2&${query}`))
    const [first, second, third] = [1, 2, 3].map((day) => `2026-01-0${day}T12:00:00Z`)
    expect(await list(`from=${first}`)).toEqual(descending(9, 1))
    expect(await list(`from=${second}`)).toEqual(descending(9, 4))
    expect(await list(`to=${second}`)).toEqual(descending(3, 1))
    expect(await list(`from=${second}&to=${third}`)).toEqual(descending(6, 4))
    expect(await list('from=2026-01-02T12:00:00.001Z')).toEqual(descending(9, 7))
    expect(await list(`from=${encodeURIComponent('2026-01-02T13:00:00+01:00')}`)).toEqual(descending(9, 4))
    expect(await list(`from=${second}&to=${second}`)).toEqual([])
    expect(await list('to=2025-01-01T00:00:00Z')).toEqual([])
    expect(await list('from=0000-01-01T00:00:00Z&to=9999-12-31T23:59:59Z')).toEqual(descending(9, 1))
    expect(await list(`from=${second}&entry=debit`)).toEqual([])
  })

  test.for([
    'from=0000-01-01T00:00:00Z',
    'from=0001-01-01T00:00:00Z',
    'from=2024-02-29T23:59:59.999999999Z',
    'from=2026-01-01T00:00:00-23:59',
    'to=9999-12-31T23:59:59Z',
  ])('takes an instant at the edge of what can be written: %s', async (query, { api }) => {
    const client = await api.signUp()
    await client.post('credit', 1)
    for (const path of ['/transactions', '/transactions?entry=credit&']) {
      const { status, json } = await client.get(`${path}${path.includes('?') ? '' : '?'}${query}`)
      expect([status, json.data?.length]).toEqual([200, 1])
    }
    const [name = '', value = ''] = query.split('=')
    const ordered = await client.call('POST', '/transactions/export', { body: { [name]: decodeURIComponent(value) } })
    expect(ordered.status).toBe(202)
  })

  test('answers HEAD as GET, without the body', async ({ api }) => {
    const client = await api.signUp()
    const [get, head] = [await client.get('/transactions'), await client.call('HEAD', '/transactions')]
    expect(head).toMatchObject({ status: 200, text: '' })
    expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'))
  })

  test.for([
    ...['0', '-1', 'abc', '1000000000', '201', '1.0', '1e1', '', '%20', '0x10', '01'].map((limit) => `limit=${limit}`),
    'limit=1&limit=2',
    'limit[]=1',
    'entry=CREDIT',
    'entry=',
    'from=yesterday',
    'from=2026-01-01',
    'from=2026-01-01T00:00:00',
    'from=2026-02-30T00:00:00Z',
    'from=2026-13-01T00:00:00Z',
    'from=1767225600',
    'from=2026-01-01T23:59:60Z',
    'from=2016-12-31T23:59:60Z',
    'from=2026-01-01T24:00:00Z',
    'from=2026-01-01T00:60:00Z',
    'from=10000-01-01T00:00:00Z',
    'from=%2B010000-01-01T00:00:00Z',
    'from=-000001-01-01T00:00:00Z',
    'from=2025-02-29T00:00:00Z',
    'from=0000-01-01T00:00:00%2B00:01', // in UTC, before the first year that can be written
    'to=9999-12-31T23:59:59-00:01', // in UTC, after the last one
    'from=2026-00-10T00:00:00Z',
    'from=2026-01-01T00:00:00%2B24:00',
    'from=2026-01-01T00:00:00%2B01:60',
    'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
    'cursor=',
    'cursor=abc',
    `cursor=${'a'.repeat(513)}`,
    'cursor=a%20b',
    'offset=5',
    '__proto__=1',
    'constructor=1',
  ])('refuses ?%s', async (query, { api }) => {
    const client = await api.signUp()
    const answer = await client.get(`/transactions?${query}`)
    expect(answer).toMatchObject({ status: 400, json: { code: 'invalid_request' } })
    expect(answer.json.errors[0].in).toBe('query')
  })
})

describe('a cursor', () => {
  async function cursorOf(client: Client, query = 'limit=1'): Promise<string> {
    await postMany(client, 3)
    return (await client.get(`/transactions?${query}`)).json.pagination.next_cursor
  }
  const refusal = { status: 400, json: { errors: [{ in: 'query', pointer: '/cursor' }] } }

  test('that was changed or cut is refused, wherever', async ({ api }) => {
    const client = await api.signUp()
    const cursor = await cursorOf(client)
    for (let at = 0; at < cursor.length; at += 3) {
      const changed = cursor.slice(0, at) + (cursor[at] === 'A' ? 'B' : 'A') + cursor.slice(at + 1)
      expect(await client.get(`/transactions?cursor=${changed}`)).toMatchObject(refusal)
      if (at > 0) expect(await client.get(`/transactions?cursor=${cursor.slice(0, at)}`)).toMatchObject(refusal)
    }
    // The last character of base64 has unused bits: another spelling of the same bytes is not the same cursor.
    for (const last of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_') {
      if (last === cursor.at(-1)) continue
      expect(await client.get(`/transactions?cursor=${cursor.slice(0, -1)}${last}`)).toMatchObject(refusal)
      expect(await client.get(`/transactions?cursor=${cursor}${last}`)).toMatchObject(refusal)
    }
    expect((await client.get(`/transactions?cursor=${cursor}`)).status).toBe(200)
  })

  test("of another user, of another list, or signed with the access token's key is refused", async ({ api }) => {
    const [ada, obi] = [await api.signUp(), await api.signUp()]
    const cursor = await cursorOf(ada)
    expect(await obi.get(`/transactions?cursor=${cursor}`)).toMatchObject(refusal)
    expect(await ada.get(`/transactions/exports?cursor=${cursor}`)).toMatchObject(refusal)

    const payload = Buffer.from(JSON.stringify({ before: 3 }))
    const mac = createHmac('sha256', SECRET)
      .update(`transactions ${ada.account.user.user_id} `)
      .update(payload)
      .digest()
      .subarray(0, 16)
    const forged = Buffer.concat([mac, payload]).toString('base64url')
    expect(await ada.get(`/transactions?cursor=${forged}`)).toMatchObject(refusal)
  })

  test('carries its filters, and refuses others', async ({ api }) => {
    const client = await api.signUp()
    const from = '2026-01-01T00:00:00Z'
    const cursor = await cursorOf(client, `limit=1&entry=credit&from=${from}`)
    const page = await client.get(`/transactions?cursor=${cursor}`)
    expect(page.json.data.map(({ entry }: Json) => entry)).toEqual(['credit'])
    expect((await client.get(`/transactions?cursor=${cursor}&entry=credit&from=${from}`)).text).toBe(page.text)
    for (const changed of ['entry=debit', 'from=2026-01-01T00:00:01Z', 'to=2027-01-01T00:00:00Z']) {
      expect(await client.get(`/transactions?cursor=${cursor}&${changed}`)).toMatchObject(refusal)
    }
    const bare = await cursorOf(client)
    expect(await client.get(`/transactions?cursor=${bare}&entry=credit`)).toMatchObject(refusal)
  })

  test('outlives the change of a secret', async ({ api, database }) => {
    const client = await api.signUp()
    const cursor = await cursorOf(client)
    const next = 'the next secret, of 32 bytes or more'
    const during = await startApi(database.url, { JWT_SECRET: next, JWT_SECRET_PREVIOUS: SECRET })
    try {
      const { token } = client.account.access_token
      expect((await during.anonymous.get(`/transactions?cursor=${cursor}`, { token })).status).toBe(200)
    } finally {
      await during.stop()
    }
  })
})

test('a page costs the same at any depth: a descent of one index and as many rows as it shows', async ({
  api,
  database,
}) => {
  const client = await api.signUp()
  const { wallet_id, user_id } = { ...client.account.wallet, ...client.account.user }
  await database.pool.query(
    `insert into transactions (wallet_id, sequence, entry, amount, balance, trans_id, created_at)
     select $1, n, (array['credit', 'debit']::entry[])[1 + n % 2], 1, 1, 't' || n, timestamptz '2026-01-01' + n * interval '1 minute'
       from generate_series(1, 20000) n`,
    [wallet_id],
  )
  await database.pool.query('vacuum analyze transactions')
  const { from, to } = { from: new Date('2026-01-01T06:00:00Z'), to: new Date('2026-01-14T12:00:00Z') }
  for (const filters of [{}, { entry: 'credit' as const }, { from, to }, { from, to, entry: 'debit' as const }]) {
    const [shallow, deep] = [
      await blocksOf({ before: 19_990, ...filters }),
      await blocksOf({ before: 1_000, ...filters }),
    ]
    expect(Math.abs(deep - shallow)).toBeLessThanOrEqual(10)
    // A time filter is a binary search: 15 steps of three blocks for each end.
    expect(deep).toBeLessThan('from' in filters ? 200 : 50)
  }

  /** Buffers of the second run: the first one also reads the catalog. */
  async function blocksOf(request: Omit<TransactionPageRequest, 'user_id' | 'limit'>): Promise<number> {
    const query = selectPage(database.db, { user_id, limit: 20, ...request })
    await query.execute()
    const [row] = await query.explain<{ 'QUERY PLAN': { Plan: Record<string, number> }[] }>(
      'json',
      sql`analyze, buffers`,
    )
    const plan = row?.['QUERY PLAN'][0]?.Plan ?? {}
    expect(plan['Actual Rows']).toBe(21)
    return (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)
  }
})
