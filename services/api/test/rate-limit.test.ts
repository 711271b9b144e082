import { type Api, describe, expect, startApi, test, waitFor } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { type Answer, type Call, type Client, createClient } from './client.ts'

/** Long enough that no window ends during a test. */
const RATE_LIMIT_WINDOW_S = '3600'
const TRUST_PROXY = 'loopback'

/** An API with limits of its own. */
const limited = test.extend('start', async ({ database }, { onCleanup }) => {
  return async (env: Record<string, string>): Promise<Api> => {
    const api = await startApi(database.url, { RATE_LIMIT_WINDOW_S, ...env })
    onCleanup(() => api.stop())
    return api
  }
})

const from = (address: string): Call => ({ headers: { 'x-forwarded-for': address } })

async function statusesOf(count: number, call: () => Promise<Answer>): Promise<number[]> {
  const statuses: number[] = []
  while (statuses.length < count) statuses.push((await call()).status)
  return statuses
}

function expectTooMany({ status, json, headers }: Answer): void {
  expect(status).toBe(429)
  expect(headers.get('content-type')).toContain('application/problem+json')
  expect(json).toMatchObject({ code: 'too_many_requests', title: 'Too many requests', status: 429 })
  const retryAfter = Number(headers.get('retry-after'))
  expect(retryAfter).toBeGreaterThanOrEqual(1)
  expect(retryAfter).toBeLessThanOrEqual(Number(RATE_LIMIT_WINDOW_S))
}

describe('the limit of an address', () => {
  limited('holds for all it sends, whoever sends it, and for no other address', async ({ start }) => {
    const { anonymous } = await start({ TRUST_PROXY, RATE_LIMIT_ADDRESS_MAX: '4' })
    const loud = from('192.0.2.1')
    const calls = [
      () => anonymous.get('/nowhere', loud),
      () => anonymous.get('//openapi.json', loud),
      () => anonymous.get('/wallet', loud),
      () => anonymous.call('POST', '/auth/refresh', { ...loud, raw: 'no JSON' }),
    ]
    const statuses: number[] = []
    for (const call of calls) statuses.push((await call()).status)
    expect(statuses).toEqual([404, 200, 401, 400])
    for (const call of calls) expectTooMany(await call())
    expect((await anonymous.get('//openapi.json', from('192.0.2.2'))).status).toBe(200)
  })

  limited('is announced with each answer', async ({ start }) => {
    const { anonymous } = await start({ RATE_LIMIT_ADDRESS_MAX: '2' })
    const answers: Answer[] = []
    while (answers.length < 3) answers.push(await anonymous.get('//openapi.json'))
    const left = answers.map(({ headers }) => headers.get('ratelimit')?.replace(/t=\d+$/, 't=…'))
    expect(left).toEqual(['"address";r=1;t=…', '"address";r=0;t=…', '"address";r=0;t=…'])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
    for (const { headers } of answers) expect(headers.get('ratelimit-policy')).toBe('"address";q=2;w=3600')
  })

  limited('is over when its time is', async ({ start }) => {
    const { anonymous } = await start({ RATE_LIMIT_ADDRESS_MAX: '3', RATE_LIMIT_WINDOW_S: '1' })
    const isRefused = async () => (await anonymous.get('/wallet')).status === 429
    await waitFor(isRefused)
    await waitFor(async () => !(await isRefused()))
  })

  limited('counts a whole IPv6 network as one', async ({ start }) => {
    const { anonymous } = await start({ TRUST_PROXY, RATE_LIMIT_ADDRESS_MAX: '2' })
    const statusOf = async (address: string) => (await anonymous.get('/wallet', from(address))).status
    expect(await statusOf('2001:db8:0:1::1')).toBe(401)
    expect(await statusOf('2001:db8:0:1:ffff::2')).toBe(401)
    expect(await statusOf('2001:db8:0:1::3')).toBe(429)
    expect(await statusOf('2001:db8:0:2::1')).toBe(401)
    expect(await statusOf('192.0.2.9')).toBe(401)
    expect(await statusOf('::ffff:192.0.2.9')).toBe(401)
    expect(await statusOf('192.0.2.9:4711')).toBe(429)
  })
})

describe('a forwarded address', () => {
  const pretend = async ({ anonymous }: Api, addresses: string[]) => {
    const statuses: number[] = []
    for (const address of addresses) statuses.push((await anonymous.get('/wallet', from(address))).status)
    return statuses
  }

  limited('is not believed unless a proxy is trusted', async ({ start }) => {
    const api = await start({ RATE_LIMIT_ADDRESS_MAX: '2' })
    expect(await pretend(api, ['192.0.2.1', '192.0.2.2', '192.0.2.3'])).toEqual([401, 401, 429])
  })

  limited('is not believed of a proxy that is not the one', async ({ start }) => {
    const api = await start({ TRUST_PROXY: '10.0.0.0/8, 192.0.2.7', RATE_LIMIT_ADDRESS_MAX: '2' })
    expect(await pretend(api, ['192.0.2.1', '192.0.2.2', '192.0.2.3'])).toEqual([401, 401, 429])
  })

  limited('is what the trusted proxy saw, whatever the client put before it', async ({ start }) => {
    const api = await start({ TRUST_PROXY, RATE_LIMIT_ADDRESS_MAX: '2' })
    const forged = ['192.0.2.1, 198.51.100.1', '192.0.2.2, 198.51.100.1', '127.0.0.1, 192.0.2.3, 198.51.100.1']
    expect(await pretend(api, forged)).toEqual([401, 401, 429])
    expect(await pretend(api, ['198.51.100.1, 192.0.2.1'])).toEqual([401])
  })

  limited('that is none counts as the proxy itself', async ({ start }) => {
    const api = await start({ TRUST_PROXY, RATE_LIMIT_ADDRESS_MAX: '2' })
    expect(await pretend(api, ['unknown', 'x'.repeat(5_000), '_hidden'])).toEqual([401, 401, 429])
  })

  test('that is not believed is told of once', async ({ database, spawnService }) => {
    const [api] = await spawnApis(spawnService, database.url)
    const told = () => api?.logs.match(/TRUST_PROXY is not set/g)?.length ?? 0
    const call = () => createClient(api?.url ?? '').get('/wallet', from('192.0.2.1'))
    await call()
    await call()
    await waitFor(() => told() > 0)
    await call()
    expect(told()).toBe(1)
  })
})

describe('the limit of a user', () => {
  limited('holds wherever they are, and for nobody else', async ({ start, api }) => {
    const { url } = await start({ TRUST_PROXY, RATE_LIMIT_USER_MAX: '3' })
    const [busy, other] = [await api.signUp(), await api.signUp()].map(({ account }) => createClient(url, account)) as [
      Client,
      Client,
    ]
    expect(await statusesOf(2, () => busy.get('/wallet', from('192.0.2.1')))).toEqual([200, 200])
    const last = await busy.get('/wallet', from('192.0.2.2'))
    expect(last.headers.get('ratelimit')).toMatch(/^"address";r=\d+;t=\d+, "user";r=0;t=\d+$/)
    expectTooMany(await busy.get('/wallet', from('192.0.2.3')))
    // Refused before the body is read, which would be refused for another reason.
    expectTooMany(await busy.call('POST', '/transactions', { raw: 'no JSON' }))
    expect((await other.get('/wallet', from('192.0.2.1'))).status).toBe(200)
    expect((await createClient(url).get('/wallet')).status).toBe(401)
  })
})

describe('the limit of sign-ups and log-ins', () => {
  limited('holds before a password is hashed or the body is read, and for nothing else', async ({ start, api }) => {
    const { url, anonymous } = await start({ TRUST_PROXY, RATE_LIMIT_SIGN_IN_MAX: '2' })
    const { account } = await api.signUp()
    const body = { email: account.user.email, password: 'a long pass phrase' }
    const logIn = (address: string) => anonymous.call('POST', '/auth/login', { ...from(address), body })
    expect((await logIn('192.0.2.1')).status).toBe(200)
    expect((await anonymous.call('POST', '/auth/signup', { ...from('192.0.2.1'), raw: '{}' })).status).toBe(400)
    expectTooMany(await logIn('192.0.2.1'))
    expectTooMany(await anonymous.call('POST', '/auth/signup', { ...from('192.0.2.1'), raw: 'no JSON' }))
    expect((await logIn('192.0.2.2')).status).toBe(200)
    expect((await createClient(url, account).get('/wallet', from('192.0.2.1'))).status).toBe(200)
  })
})

limited('0 in place of a limit is none', async ({ start, api }) => {
  const off = { RATE_LIMIT_ADDRESS_MAX: '0', RATE_LIMIT_USER_MAX: '0', RATE_LIMIT_SIGN_IN_MAX: '0' }
  const { url, anonymous } = await start(off)
  const { account } = await api.signUp()
  const client = createClient(url, account)
  expect(new Set(await statusesOf(20, () => client.get('/wallet')))).toEqual(new Set([200]))
  expect((await client.get('/wallet')).headers.get('ratelimit')).toBeNull()
  const body = { email: account.user.email, password: 'a long pass phrase' }
  expect((await anonymous.call('POST', '/auth/login', { body })).headers.get('ratelimit')).toBeNull()
})
