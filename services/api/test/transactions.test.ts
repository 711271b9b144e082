import { randomUUID } from 'node:crypto'
import type { TestDatabase } from '@streamledger/testkit'
import { describe, expect, startApi, test } from './api.ts'
import type { Answer, Client, Json } from './client.ts'

const LARGEST = Number.MAX_SAFE_INTEGER
const LARGEST_TEXT = '9007199254740991'

/** An answer without the parts that differ each time. */
function repeatable({ status, json }: Answer): Json {
  const { request_id: _, ...body } = json
  return { status, body }
}

async function rowsOf({ db }: TestDatabase, { account }: Client) {
  const { wallet_id } = account.wallet
  const [transactions, refusals, outbox] = await Promise.all([
    db.selectFrom('transactions').selectAll().where('wallet_id', '=', wallet_id).orderBy('sequence').execute(),
    db.selectFrom('refusals').selectAll().where('wallet_id', '=', wallet_id).execute(),
    db.selectFrom('outbox').selectAll().where('key', '=', String(account.user.user_id)).orderBy('id').execute(),
  ])
  return { transactions, refusals, outbox }
}

describe('posting', () => {
  test('a credit answers with the transaction and where it is', async ({ api, database }) => {
    const client = await api.signUp()
    const answer = await client.post('credit', 1_000, 'first')
    expect(answer.status).toBe(201)
    expect(answer.json).toEqual({
      transaction_id: expect.any(Number),
      wallet_id: client.account.wallet.wallet_id,
      entry: 'credit',
      amount: 1_000,
      balance: 1_000,
      trans_id: 'first',
      sequence: 1,
      created_at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/),
    })
    const location = answer.headers.get('location')
    expect(location).toBe(`/api/v1/transactions/${answer.json.transaction_id}`)
    expect(answer.headers.get('idempotent-replayed')).toBeNull()
    expect((await client.get(`/${location}`)).text).toBe(answer.text)

    expect(await client.balance()).toBe(1_000)
    const { transactions, outbox } = await rowsOf(database, client)
    expect([transactions.length, outbox.length]).toEqual([1, 1])
  })

  test('carries the trace context of the request into the event, and drops what is none', async ({ api, database }) => {
    const client = await api.signUp()
    const traceparent = `00-${'a1'.repeat(16)}-${'b2'.repeat(8)}-01`
    for (const header of [traceparent, `00-${'0'.repeat(32)}-${'b2'.repeat(8)}-01`, 'nonsense']) {
      const body = { entry: 'credit', amount: 1, trans_id: randomUUID() }
      await client.call('POST', '/transactions', { body, headers: { traceparent: header } })
    }
    const { outbox } = await rowsOf(database, client)
    expect(outbox.map(({ headers }) => headers.traceparent)).toEqual([traceparent, undefined, undefined])
  })

  test('a replay is the same bytes, says so, and moves nothing', async ({ api, database }) => {
    const client = await api.signUp()
    const first = await client.post('credit', 700, 'once')
    await client.post('debit', 200)
    for (let time = 0; time < 2; time += 1) {
      const again = await client.post('credit', 700, 'once')
      expect(again.status).toBe(201)
      expect(again.text).toBe(first.text)
      expect(again.headers.get('idempotent-replayed')).toBe('true')
      expect(again.headers.get('location')).toBe(first.headers.get('location'))
    }
    expect(await client.balance()).toBe(500)
    expect((await rowsOf(database, client)).outbox).toHaveLength(2)
  })

  test('1.0 and 1e2 are 1 and 100, also in a replay', async ({ api }) => {
    const client = await api.signUp()
    for (const [text, amount] of [
      ['1.0', 1],
      ['1e2', 100],
    ] as const) {
      const raw = `{"entry":"credit","amount":${text},"trans_id":"${text}"}`
      const first = await client.call('POST', '/transactions', { raw })
      expect(first).toMatchObject({ status: 201, json: { amount } })
      const again = await client.post('credit', amount, text)
      expect(again).toMatchObject({ status: 201, text: first.text })
    }
  })

  test('a refusal names the balance, and stays when the balance would cover it', async ({ api, database }) => {
    const client = await api.signUp()
    await client.post('credit', 100)
    const refused = await client.post('debit', 101, 'too much')
    expect(refused).toMatchObject({ status: 422, json: { code: 'insufficient_funds', balance: 100 } })
    await client.post('credit', 1_000)

    const again = await client.post('debit', 101, 'too much')
    expect(repeatable(again)).toEqual(repeatable(refused))
    expect(refused.headers.get('idempotent-replayed')).toBeNull()
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(again.json.request_id).not.toBe(refused.json.request_id)
    expect(await client.balance()).toBe(1_100)
    const { refusals, outbox } = await rowsOf(database, client)
    expect([refusals.length, outbox.length]).toEqual([1, 2])
  })

  test('a credit past the largest balance is refused', async ({ api }) => {
    const client = await api.signUp()
    expect(await client.post('credit', LARGEST)).toMatchObject({ status: 201, json: { balance: LARGEST } })
    const refused = await client.post('credit', 1)
    expect(refused).toMatchObject({ status: 422, json: { code: 'balance_limit', balance: LARGEST } })
    expect((await client.get('/wallet')).text).toContain(`"balance":${LARGEST_TEXT}`)
  })

  test('a trans_id that is used for something else is refused, and says what differs', async ({ api }) => {
    const client = await api.signUp()
    await client.post('credit', 500, 'mine')
    await client.post('debit', 9_999, 'refused')
    for (const [entry, amount, trans_id, fields] of [
      ['debit', 500, 'mine', ['entry']],
      ['credit', 501, 'mine', ['amount']],
      ['debit', 1, 'mine', ['entry', 'amount']],
      ['debit', 1, 'refused', ['amount']],
    ] as const) {
      const answer = await client.post(entry, amount, trans_id)
      expect(answer).toMatchObject({ status: 422, json: { code: 'trans_id_reused', fields } })
    }
    expect(await client.balance()).toBe(500)
  })

  test('two users may use one trans_id, and letters are compared as they are', async ({ api }) => {
    const [ada, obi] = [await api.signUp(), await api.signUp()]
    const ids = ['id', 'ID', ' id', 'id ', 'caf\u00e9', 'cafe\u0301', '\u200b', '😀'.repeat(255)]
    for (const client of [ada, obi]) {
      for (const trans_id of ids) {
        const answer = await client.post('credit', 1, trans_id)
        expect(answer).toMatchObject({ status: 201, json: { trans_id } })
        expect(answer.headers.get('idempotent-replayed')).toBeNull()
      }
      expect(await client.balance()).toBe(ids.length)
    }
  })

  test('of 100 debits at once, of which 7 fit, exactly 7 succeed', async ({ api, database }) => {
    const client = await api.signUp()
    const other = await startApi(database.url)
    try {
      await client.post('credit', 7_050)
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, index) => {
          const call = {
            body: { entry: 'debit', amount: 1_000, trans_id: `d${index}` },
            token: client.account.access_token.token,
          }
          return (index % 2 ? api : other).anonymous.call('POST', '/transactions', call)
        }),
      )
      const statuses = answers.map(({ status }) => status)
      expect(statuses.filter((status) => status === 201)).toHaveLength(7)
      expect(statuses.filter((status) => status === 422)).toHaveLength(93)
      expect(await client.balance()).toBe(50)
      const { transactions, refusals, outbox } = await rowsOf(database, client)
      expect([transactions.length, refusals.length, outbox.length]).toEqual([8, 93, 8])
      expect(transactions.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    } finally {
      await other.stop()
    }
  })

  test('the same request many times at once has one effect and equal answers', async ({ api, database }) => {
    const client = await api.signUp()
    const answers = await Promise.all(Array.from({ length: 30 }, () => client.post('credit', 250, 'same')))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === null)).toHaveLength(1)
    expect(await client.balance()).toBe(250)
    expect((await rowsOf(database, client)).outbox).toHaveLength(1)
  })
})

describe('looking a transaction up', () => {
  test("finds one's own and nobody else's", async ({ api }) => {
    const [ada, stranger] = [await api.signUp(), await api.signUp()]
    const { json } = await ada.post('credit', 10, 'hers')
    expect((await ada.get(`/transactions/${json.transaction_id}`)).json).toEqual(json)
    expect(await stranger.get(`/transactions/${json.transaction_id}`)).toMatchObject({
      status: 404,
      json: { code: 'transaction_not_found' },
    })
    expect((await stranger.get('/transactions/by-trans-id/hers')).status).toBe(404)
    expect((await stranger.get('/transactions')).json.data).toEqual([])
  })

  test('by an id that cannot be one finds nothing', async ({ api }) => {
    const client = await api.signUp()
    for (const id of [
      '0',
      '-1',
      '01',
      '1e3',
      '1.0',
      'abc',
      '9007199254740992',
      '99999999999999999999',
      '%20',
      "1'--",
    ]) {
      expect((await client.get(`/transactions/${id}`)).status).toBe(404)
    }
    expect((await client.get('/transactions/9007199254740991')).status).toBe(404)
  })

  test.for(['.', '..', '%', '%2e', '+', ' ', '&trans_id=a', '?', '#', '/', '\u00e9', 'e\u0301', '5', '😀'.repeat(255)])(
    'by the trans_id %j in the query finds that one',
    async (trans_id, { api }) => {
      const client = await api.signUp()
      const { json: transaction } = await client.post('credit', 10, trans_id)
      const found = await client.get(`/transactions/outcome?trans_id=${encodeURIComponent(trans_id)}`)
      expect(found).toMatchObject({ status: 200, json: { trans_id, outcome: 'accepted', transaction } })
      const other = await client.get('/transactions/outcome?trans_id=never')
      expect(other).toMatchObject({ status: 404, json: { code: 'transaction_not_found' } })
    },
  )

  test('by trans_id says what became of it, without executing it', async ({ api }) => {
    const client = await api.signUp()
    const { json: transaction } = await client.post('credit', 10, 'a/b?c=d&e %😀')
    const path = (trans_id: string) => `/transactions/by-trans-id/${encodeURIComponent(trans_id)}`
    expect(await client.get(path('a/b?c=d&e %😀'))).toMatchObject({
      status: 200,
      json: { trans_id: 'a/b?c=d&e %😀', outcome: 'accepted', transaction },
    })

    await client.post('debit', 11, 'refused')
    expect((await client.get(path('refused'))).json).toEqual({
      trans_id: 'refused',
      outcome: 'refused',
      refusal: {
        ...{ code: 'insufficient_funds', entry: 'debit', amount: 11, balance: 10 },
        created_at: expect.stringMatching(/Z$/),
      },
    })
    expect(await client.get(path('never'))).toMatchObject({ status: 404, json: { code: 'transaction_not_found' } })
    expect(await client.balance()).toBe(10)
  })

  test('by the longest trans_id there is finds it', async ({ api }) => {
    const client = await api.signUp()
    const trans_id = '😀'.repeat(255)
    await client.post('credit', 1, trans_id)
    const found = await client.get(`/transactions/by-trans-id/${encodeURIComponent(trans_id)}`)
    expect(found).toMatchObject({ status: 200, json: { trans_id } })
    expect((await client.get(`/transactions/by-trans-id/${'x'.repeat(4_000)}`)).status).toBe(404)
    expect((await client.get('/transactions/by-trans-id/%ff')).status).toBe(400)
  })
})
