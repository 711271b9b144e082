import { createHmac } from 'node:crypto'
import { describe, expect, SECRET, startApi, test, waitFor } from './api.ts'
import { claimTopic } from './claim-topic.ts'
import { digestDatabase } from './digest-database.ts'

interface Forgery {
  header?: object
  claims?: object
  secret?: string
  hash?: string
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A token like the API's own, made by hand. */
function forge(user_id: number, { header, claims, secret = SECRET, hash = 'sha256' }: Forgery = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const standard = { sub: String(user_id), iat: now, exp: now + 60, iss: 'streamledger', aud: 'streamledger-api' }
  const input = `${encode({ alg: 'HS256', typ: 'at+jwt', ...header })}.${encode({ ...standard, ...claims })}`
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`
}

const now = () => Math.floor(Date.now() / 1000)

const attacks: [string, (user_id: number) => string | undefined][] = [
  ['no token', () => undefined],
  ['another scheme', () => 'Basic YTpi'],
  ['an empty token', () => 'Bearer '],
  ['something else', () => 'Bearer hello'],
  ['alg none without a signature', (id) => `Bearer ${forge(id, { header: { alg: 'none' } }).replace(/[^.]+$/, '')}`],
  ['alg none with a signature', (id) => `Bearer ${forge(id, { header: { alg: 'none' } })}`],
  ['another algorithm of the same family', (id) => `Bearer ${forge(id, { header: { alg: 'HS512' }, hash: 'sha512' })}`],
  ['a shorter hash of the same family', (id) => `Bearer ${forge(id, { header: { alg: 'HS384' }, hash: 'sha384' })}`],
  // If the verifier trusted the algorithm in the header, the secret would be used as a public key.
  ['an algorithm of key pairs, signed with the secret', (id) => `Bearer ${forge(id, { header: { alg: 'RS256' } })}`],
  ['another secret', (id) => `Bearer ${forge(id, { secret: 'another secret that has 32 bytes too' })}`],
  ['a changed claim', (id) => `Bearer ${forge(id).replace(/\.[^.]+\./, `.${encode({ sub: '1' })}.`)}`],
  ['a token that has expired', (id) => `Bearer ${forge(id, { claims: { exp: now() - 1 } })}`],
  ['a token that is not valid yet', (id) => `Bearer ${forge(id, { claims: { nbf: now() + 60 } })}`],
  ['a token that never expires', (id) => `Bearer ${forge(id, { claims: { exp: undefined } })}`],
  ['another issuer', (id) => `Bearer ${forge(id, { claims: { iss: 'somebody' } })}`],
  ['another audience', (id) => `Bearer ${forge(id, { claims: { aud: 'another-api' } })}`],
  ['no audience', (id) => `Bearer ${forge(id, { claims: { aud: undefined } })}`],
  ['a token of another type', (id) => `Bearer ${forge(id, { header: { typ: 'JWT' } })}`],
  ['a token without a type', (id) => `Bearer ${forge(id, { header: { typ: undefined } })}`],
  [
    'a critical header that is not understood',
    (id) => `Bearer ${forge(id, { header: { crit: ['b64'], b64: false } })}`,
  ],
  ['a subject that is no user', () => `Bearer ${forge(0, { claims: { sub: 'admin' } })}`],
  ['a subject that is a list', (id) => `Bearer ${forge(id, { claims: { sub: [String(id)] } })}`],
  ['the token twice', (id) => `Bearer ${forge(id)} ${forge(id)}`],
]

describe('an access token', () => {
  test('made by hand as the API makes them is taken, whatever the letters of the scheme', async ({ api }) => {
    const { account } = await api.signUp()
    const token = forge(account.user.user_id)
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const answer = await api.anonymous.get('/wallet', { headers: { authorization: `${scheme} ${token}` } })
      expect(answer.status).toBe(200)
    }
  })

  test('that was taken before is refused from the moment that it expires', async ({ api }) => {
    const { account } = await api.signUp()
    const headers = { authorization: `Bearer ${forge(account.user.user_id, { claims: { exp: now() + 2 } })}` }
    const statuses: number[] = []
    await waitFor(async () => {
      statuses.push((await api.anonymous.get('/wallet', { headers })).status)
      return statuses.at(-1) !== 200
    })
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(1)
    expect(statuses.at(-1)).toBe(401)
  })

  test.for(attacks)('is refused: %s', async ([, authorization], { api, database }) => {
    const { account } = await api.signUp()
    const sent = authorization(account.user.user_id)
    const headers: Record<string, string> = sent === undefined ? {} : { authorization: sent }
    const before = await digestDatabase(database)
    const body = { entry: 'credit', amount: 1, trans_id: 'forged' }
    expect((await api.anonymous.call('POST', '/transactions', { body, headers })).json.code).toBe('unauthenticated')
    expect((await api.anonymous.call('POST', '/transactions/export', { headers })).json.code).toBe('unauthenticated')
    expect(await digestDatabase(database)).toEqual(before)
    const answer = await api.anonymous.get('/wallet', { headers })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="streamledger"/)
    expect(answer.json).toEqual({
      type: 'urn:streamledger:problem:unauthenticated',
      title: 'Unauthenticated',
      status: 401,
      detail: expect.any(String),
      instance: '/api/v1/wallet',
      code: 'unauthenticated',
      request_id: answer.headers.get('x-request-id'),
    })
  })

  test('is refused where a refresh token was sent for it', async ({ api }) => {
    const { account } = await api.signUp()
    expect((await api.anonymous.get('/wallet', { token: account.refresh_token.token })).status).toBe(401)
  })

  test('signed with the previous secret is taken while the secret is being changed, and not after', async ({
    api,
    database,
  }) => {
    const next = 'the next secret, of 32 bytes or more'
    const client = await api.signUp()
    const { token } = client.account.access_token
    const during = await startApi(database.url, { JWT_SECRET: next, JWT_SECRET_PREVIOUS: SECRET })
    const after = await startApi(database.url, { JWT_SECRET: next })
    const before = await startApi(database.url, { JWT_SECRET_PREVIOUS: next })
    try {
      expect((await during.anonymous.get('/wallet', { token })).status).toBe(200)
      expect((await after.anonymous.get('/wallet', { token })).status).toBe(401)
      const newer = (await during.signUp()).account.access_token.token
      expect((await after.anonymous.get('/wallet', { token: newer })).status).toBe(200)
      // Replicas are restarted one by one: a replica that does not sign with the new secret yet must already accept it.
      expect((await before.anonymous.get('/wallet', { token: newer })).status).toBe(200)
      const expired = forge(client.account.user.user_id, { claims: { exp: now() - 1 } })
      expect((await during.anonymous.get('/wallet', { token: expired })).status).toBe(401)
    } finally {
      await Promise.all([before.stop(), during.stop(), after.stop()])
    }
  })

  test('is for any user id that a number can hold, and for none beyond', async ({ createDatabase }) => {
    const { url, pool } = await createDatabase()
    await claimTopic(pool)
    // As on a late timeline: there are 90,000 of them, with 10^11 ids each.
    await pool.query("select setval('users_id_seq', 9000000000000000)")
    const late = await startApi(url)
    try {
      const client = await late.signUp()
      const { user_id } = client.account.user
      expect(user_id).toBe(9_000_000_000_000_001)
      expect((await client.post('credit', 5)).status).toBe(201)
      expect((await client.get('/wallet')).json).toMatchObject({ user: { user_id }, wallet: { balance: 5 } })
      expect((await client.get('/transactions')).json.data).toHaveLength(1)
      const { rows } = await pool.query("select payload::json ->> 'user_id' as user_id from outbox")
      expect(rows).toEqual([{ user_id: '9000000000000001' }])
      for (const sub of ['9007199254740992', '9007199254740993', '99999999999999999999', '09']) {
        expect((await client.get('/wallet', { token: forge(0, { claims: { sub } }) })).status).toBe(401)
      }
    } finally {
      await late.stop()
    }
  })

  test('of a user who is not there finds no wallet', async ({ api }) => {
    const token = forge(999_999_999)
    expect(await api.anonymous.get('/wallet', { token })).toMatchObject({
      status: 404,
      json: { code: 'wallet_not_found' },
    })
    const body = { entry: 'credit', amount: 1, trans_id: 'a' }
    expect((await api.anonymous.call('POST', '/transactions', { body, token })).json.code).toBe('wallet_not_found')
    expect((await api.anonymous.call('POST', '/transactions/export', { token })).json.code).toBe('wallet_not_found')
  })

  test('is asked for before anything else is looked at', async ({ api }) => {
    for (const [method, path] of [
      ['POST', '/transactions'],
      ['GET', '/transactions?limit=0'],
      ['GET', '/transactions/1'],
      ['GET', '/transactions/by-trans-id/a'],
      ['GET', '/transactions/outcome?trans_id=a'],
      ['POST', '/transactions/export'],
      ['GET', '/transactions/exports'],
      ['GET', '/transactions/exports/00000000-0000-0000-0000-000000000000'],
      ['DELETE', '/transactions/exports/00000000-0000-0000-0000-000000000000'],
      ['GET', '/transactions/exports/00000000-0000-0000-0000-000000000000/file'],
    ] as const) {
      expect(await api.anonymous.call(method, path)).toMatchObject({ status: 401, json: { code: 'unauthenticated' } })
    }
  })
})
