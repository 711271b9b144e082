// The contract's table of bad input, line by line: checks each answer, its time, and that the database did not change.
import { gzipSync } from 'node:zlib'
import type { TestDatabase } from '@streamledger/testkit'
import { type Api, describe, expect, makePerson, test } from './api.ts'
import type { Answer, Call, Client } from './client.ts'
import { digestDatabase } from './digest-database.ts'

type Send = (client: Client, api: Api) => Promise<Pick<Answer, 'status' | 'headers' | 'json'>>
/** Its name, and the request that sends it. */
type Line = readonly [string, Send]

const ANSWER_MAX_MS = 1_000
const BODY_BYTES_MAX = 65_536
const PASSWORD = 'a long pass phrase'

const raw =
  (text: string, call: Call = {}): Send =>
  (client) =>
    client.call('POST', '/transactions', { raw: text, ...call })
const get =
  (path: string): Send =>
  (client) =>
    client.get(path)
const signUp =
  (change: object): Send =>
  (_client, api) =>
    api.anonymous.call('POST', '/auth/signup', { body: { ...makePerson(), ...change } })

/** A transaction as JSON text, with each part inserted unchanged. */
const transaction = (part: { entry?: string; amount?: string; trans_id?: string; more?: string }) => {
  const { entry = '"credit"', amount = '1', trans_id = '"bad"', more = '' } = part
  return `{"entry":${entry},"amount":${amount},"trans_id":${trans_id}${more}}`
}

/** A valid body of this many bytes, except that it has an unknown field. */
const bodyOfBytes = (bytes: number) => {
  const [head, tail] = ['{"note":"', '"}']
  return `${head}${'x'.repeat(bytes - head.length - tail.length)}${tail}`
}

const amounts =
  '0 -0 -1 1.5 0.9999999999999999 1e400 -1e400 1e-400 "100" "1" true null [100] {} 9007199254740992 9007199254740993 9223372036854775808 0.99999999999999999999 1.00000000000000000000001 9007199254740991.4 1e-30 0.1e-400 NaN Infinity 0x10 01 +1 1_000'.split(
    ' ',
  )
const entries = [
  '"CREDIT"',
  '"Debit"',
  '"refund"',
  '" credit"',
  '"credit "',
  '"credit\\u0000"',
  '""',
  'null',
  '1',
  'true',
  '["credit"]',
]
const transIds = [
  '""',
  '"\\u0000"',
  '"a\\u0007"',
  '"a\\u007f"',
  '"a\\u0085"',
  '"a\\n"',
  '"\\ud83d"',
  '"\\ude00"',
  '"\\ude00\\ud83d"',
  '1',
  'null',
  '{}',
  '["a"]',
  'true',
  `"${'a'.repeat(256)}"`,
  `"${'\u{1f4b8}'.repeat(256)}"`,
]

const bodies: Line[] = [
  ...amounts.map((amount): Line => [`amount ${amount}`, raw(transaction({ amount }))]),
  ['no amount', raw('{"entry":"credit","trans_id":"bad"}')],
  ...entries.map((entry): Line => [`entry ${entry}`, raw(transaction({ entry }))]),
  ['no entry', raw('{"amount":1,"trans_id":"bad"}')],
  ...transIds.map(
    (trans_id): Line => [`trans_id ${trans_id.slice(0, 20)} of ${trans_id.length}`, raw(transaction({ trans_id }))],
  ),
  ['no trans_id', raw('{"entry":"credit","amount":1}')],
  ['a field that is not known', raw(transaction({ more: ',"note":"x"' }))],
  ['an amount that is there twice', raw(transaction({ more: ',"amount":100' }))],
  ['an amount that is there twice, once in escapes', raw(transaction({ more: ',"\\u0061mount":1' }))],
  [
    'a sign-up with two mail addresses',
    (_, api) => api.anonymous.call('POST', '/auth/signup', { raw: twoAddresses() }),
  ],
  ['the name of a wallet', raw(transaction({ more: ',"wallet_id":1' }))],
  ['__proto__', raw(transaction({ more: ',"__proto__":{"x":1}' }))],
  ['__proto__ in escapes', raw(transaction({ more: ',"\\u005f_proto__":{"x":1}' }))],
  ['constructor.prototype', raw(transaction({ more: ',"constructor":{"prototype":{}}' }))],
  ['a body that ends early', raw('{"entry":"credit"')],
  ['a comma too many', raw('{"entry":"credit","amount":1,"trans_id":"bad",}')],
  ['single quotes', raw("{'entry':'credit','amount':1,'trans_id':'bad'}")],
  ['two values', raw('{}{}')],
  ['an empty body', raw('')],
  ['no body', (client) => client.call('POST', '/transactions')],
  ...['[]', '"credit"', 'null', '1', 'true'].map((text): Line => [`the body ${text}`, raw(text)]),
  ['thousands of brackets', raw('['.repeat(30_000) + ']'.repeat(30_000))],
  ['thousands of objects', raw('{"a":'.repeat(10_000))],
  ['thousands of unknown fields', raw(`{${Array.from({ length: 5_000 }, (_, index) => `"k${index}":1`).join(',')}}`)],
  ['a body of as many bytes as there may be, and nothing in it', raw(bodyOfBytes(BODY_BYTES_MAX))],
  ['bytes that are not UTF-8', (client) => client.call('POST', '/transactions', { raw: brokenBytes() })],
]

/** A sign-up that a proxy may read as one for the first address. */
const twoAddresses = () => JSON.stringify(makePerson()).replace('{', '{"email":"first@example.com",')

/** Decoding would turn all of these bytes into the same character, and could make two trans_ids equal. */
function brokenBytes(): Uint8Array<ArrayBuffer> {
  const [head = '', tail = ''] = transaction({ trans_id: '"?"' }).split('?')
  return new Uint8Array(Buffer.concat([Buffer.from(head), Buffer.of(0xff), Buffer.from(tail)]))
}

const signUps: Line[] = [
  ...[
    '',
    'ada',
    '@',
    'ada@',
    '@example.com',
    'a b@example.com',
    'ada@example.com\u0000',
    ' ada@example.com',
    'ada@exa mple.com',
  ].map((email): Line => [`the mail address ${JSON.stringify(email)}`, signUp({ email })]),
  ['a mail address of 255 characters', signUp({ email: `${'a'.repeat(243)}@example.com` })],
  ['a password of 7 characters', signUp({ password: 'seven 7' })],
  ['a password of 129 characters', signUp({ password: 'x'.repeat(129) })],
  ['a password that everybody tries', signUp({ password: 'PASSWORD123' })],
  ['a list for a password', signUp({ password: [PASSWORD] })],
  ['a field that is not known', signUp({ balance: 1_000 })],
]

const lists: Line[] = [
  ...[
    '',
    '?trans_id=',
    '?trans_id=a&trans_id=b',
    '?trans_id=a&limit=1',
    '?trans_id=%00',
    '?trans_id=%ff',
    '?trans_id=%',
    '?trans_id=%ed%a0%80',
    `?trans_id=${'a'.repeat(256)}`,
  ].map((query): Line => [`outcome${query.slice(0, 20)}`, get(`/transactions/outcome${query}`)]),
  ...[
    'limit=0',
    'limit=-1',
    'limit=abc',
    'limit=1000000000',
    'limit=201',
    'limit=1.5',
    'limit=1&limit=2',
    'cursor=forged',
    'entry=CREDIT',
    'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z',
    'from=2026-02-30T00:00:00Z',
    'to=yesterday',
    'offset=1',
  ].map((query): Line => [`?${query}`, get(`/transactions?${query}`)]),
  ...['limit=0', 'limit=-1', 'limit=abc', 'limit=1000000000', 'limit=201', 'cursor=forged', 'entry=credit'].map(
    (query): Line => [`exports?${query}`, get(`/transactions/exports?${query}`)],
  ),
]

const order =
  (body: unknown, headers: Record<string, string> = {}): Send =>
  (client) =>
    client.call('POST', '/transactions/export', { body, headers })

const exportOrders: Line[] = [
  ['an export from later than to', order({ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' })],
  ['an export of a bad date', order({ from: '2026-02-30T00:00:00Z' })],
  ['an export of another entry', order({ entry: 'CREDIT' })],
  ['an export with an unknown field', order({ format: 'csv' })],
  ['an export of null', order(null)],
  ['an Idempotency-Key of 256 characters', order({}, { 'idempotency-key': 'k'.repeat(256) })],
]

const packed = { 'content-encoding': 'gzip' }
const otherBodies: [...Line, number, string][] = [
  ['one byte over the limit', raw(bodyOfBytes(BODY_BYTES_MAX + 1)), 413, 'body_too_large'],
  ['a password of 1 MiB', signUp({ password: 'x'.repeat(1_048_576) }), 413, 'body_too_large'],
  ['text/plain', raw(transaction({}), { headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media_type'],
  [
    'a form',
    raw('entry=credit&amount=1', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    415,
    'unsupported_media_type',
  ],
  ['no content type', (client, api) => sendUntyped(api, client), 415, 'unsupported_media_type'],
  [
    'gzip',
    (client) =>
      client.call('POST', '/transactions', { raw: new Uint8Array(gzipSync(transaction({}))), headers: packed }),
    415,
    'unsupported_media_type',
  ],
  ['what only says that it is gzip', raw(transaction({}), { headers: packed }), 415, 'unsupported_media_type'],
]

/** fetch names no type for bytes. */
async function sendUntyped(api: Api, { account }: Client): ReturnType<Send> {
  const response = await fetch(`${api.url}/api/v1/transactions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${account.access_token.token}` },
    body: new TextEncoder().encode(transaction({})),
  })
  return { status: response.status, headers: response.headers, json: await response.json() }
}

describe('bad input is refused in time, and nothing of it is left', () => {
  const lines = [...bodies, ...signUps, ...lists, ...exportOrders].map(
    ([name, send]) => [name, send, 400, /^(invalid_request|malformed_request|password_common)$/] as const,
  )
  test.for([
    ...lines,
    ...otherBodies.map(([name, send, status, code]) => [name, send, status, new RegExp(`^${code}$`)] as const),
  ])('%s', async ([, send, status, code], { api, database }) => {
    const client = await api.signUp()
    await client.post('credit', 1_000, 'before')
    const before = await digestDatabase(database)
    const startedAt = performance.now()
    const answer = await send(client, api)
    expect(performance.now() - startedAt).toBeLessThan(ANSWER_MAX_MS)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.json.code).toMatch(code)
    expect(answer.json.errors?.length ?? 0).toBeLessThanOrEqual(20)
    expect(await digestDatabase(database)).toEqual(before)
  })
})

/** The tables that changed. */
async function changedBy(database: Pick<TestDatabase, 'pool'>, act: () => Promise<unknown>): Promise<string[]> {
  const before = await digestDatabase(database)
  await act()
  const after = await digestDatabase(database)
  return [...after].filter(([name, digest]) => before.get(name) !== digest).map(([name]) => name)
}

describe('what is understood and refused leaves no more than its record', () => {
  test('a debit of all there is succeeds, one more than that is refused and recorded', async ({ api, database }) => {
    const client = await api.signUp()
    await client.post('credit', 1_000)
    expect((await client.post('debit', 1_000)).status).toBe(201)
    const { balance, sequence } = (await client.get('/wallet')).json.wallet
    const changed = await changedBy(database, async () => {
      expect(await client.post('debit', 1)).toMatchObject({ status: 422, json: { code: 'insufficient_funds' } })
    })
    // A wallet's version counts decisions.
    expect(changed).toEqual(['public.refusals', 'public.wallets'])
    expect((await client.get('/wallet')).json.wallet).toMatchObject({ balance, sequence })
  })

  test('a credit up to the largest balance succeeds, one past it is refused and recorded', async ({
    api,
    database,
  }) => {
    const client = await api.signUp()
    await client.post('credit', Number.MAX_SAFE_INTEGER - 1)
    expect((await client.post('credit', 1)).status).toBe(201)
    const { balance, sequence } = (await client.get('/wallet')).json.wallet
    const changed = await changedBy(database, async () => {
      expect(await client.post('credit', 1)).toMatchObject({ status: 422, json: { code: 'balance_limit' } })
    })
    // A wallet's version counts decisions.
    expect(changed).toEqual(['public.refusals', 'public.wallets'])
    expect((await client.get('/wallet')).json.wallet).toMatchObject({ balance, sequence })
  })

  test('a trans_id that is used again, for another transaction or of a refusal', async ({ api, database }) => {
    const client = await api.signUp()
    await client.post('credit', 1_000, 'used')
    await client.post('debit', 9_999, 'refused')
    const changed = await changedBy(database, async () => {
      expect((await client.post('credit', 1_001, 'used')).json.code).toBe('trans_id_reused')
      expect((await client.post('debit', 1, 'refused')).json.code).toBe('trans_id_reused')
      expect((await client.post('debit', 9_999, 'refused')).json.code).toBe('insufficient_funds')
    })
    expect(changed).toEqual([])
  })

  test('a trans_id of 255 characters is one, in whatever alphabet', async ({ api }) => {
    const client = await api.signUp()
    for (const trans_id of ['a'.repeat(255), '\u{1f4b8}'.repeat(255)]) {
      expect(await client.post('credit', 1, trans_id)).toMatchObject({ status: 201, json: { trans_id } })
    }
  })

  test('a mail address that has an account, in other letters too', async ({ api, database }) => {
    const person = makePerson()
    await api.signUp(person)
    const changed = await changedBy(database, async () => {
      for (const email of [person.email, person.email.toUpperCase()]) {
        const answer = await api.anonymous.call('POST', '/auth/signup', { body: { ...person, email } })
        expect(answer).toMatchObject({ status: 409, json: { code: 'email_taken' } })
      }
    })
    expect(changed).toEqual([])
  })

  test('a refresh token that nobody was given, and an access token in its place', async ({ api, database }) => {
    const { account } = await api.signUp()
    const changed = await changedBy(database, async () => {
      for (const refresh_token of ['A'.repeat(43), 'a', account.access_token.token.slice(0, 512)]) {
        const answer = await api.anonymous.call('POST', '/auth/refresh', { body: { refresh_token } })
        expect(answer).toMatchObject({ status: 401, json: { code: 'refresh_token_invalid' } })
      }
    })
    expect(changed).toEqual([])
  })

  test('an export that is not there, not yours, or not ready', async ({ api, database }) => {
    const [ada, stranger] = [await api.signUp(), await api.signUp()]
    const { export_id } = (await ada.call('POST', '/transactions/export')).json
    const path = `/transactions/exports/${export_id}`
    const changed = await changedBy(database, async () => {
      for (const [method, target] of [
        ['GET', path],
        ['DELETE', path],
        ['GET', `${path}/file`],
      ] as const) {
        expect((await stranger.call(method, target)).json.code).toBe('export_not_found')
      }
      expect((await ada.get('/transactions/exports/no-such-id')).status).toBe(404)
      expect(await ada.get(`${path}/file`)).toMatchObject({ status: 409, json: { code: 'export_not_ready' } })
    })
    expect(changed).toEqual([])
  })
})
