import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { test as base, expect, type TestDatabase } from '@streamledger/testkit'
import { createLedgerClient, type LedgerClientOptions, ProblemError, UnansweredError } from '../src/index.ts'
import { type Mishap, startUnreliableWay } from './unreliable-way.ts'

const RETRY = { timeoutMs: 20_000, tryTimeoutMs: 1_500, pauseMs: 5, pauseMaxMs: 20 }
setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
const PASSWORD = 'a long pass phrase'
const BUSY = { name: 'ProblemError', status: 503, code: 'not_a_problem' }

/** A real API process behind a proxy that makes requests fail as a test wants. */
const test = base.extend('way', async ({ database, spawnService }, { onCleanup }) => {
  const api = await spawnService('services/api/src/main.ts', {
    DATABASE_URL: database.url,
    INSTALLATION_ID: '7d0c8f0e-9b1c-4f5e-8a55-8d2f6f4f9a01',
    JWT_SECRET: 'a secret for tests, 32 bytes at least',
    EXPORT_DIR: tmpdir(),
    LOG_LEVEL: 'warn',
    ACCESS_TOKEN_TTL_S: '60',
  })
  await api.ready()
  const way = await startUnreliableWay(api.url)
  onCleanup(() => way.close())
  return way
})

async function signUp(baseUrl: string, options: Partial<LedgerClientOptions> = {}) {
  const client = createLedgerClient({ baseUrl, retry: RETRY, ...options })
  const person = { first_name: 'Ada', last_name: 'Obi', email: `${randomUUID()}@example.com`, password: PASSWORD }
  const { wallet } = await client.signUp(person)
  return { client, person, wallet }
}

async function countTransactions({ pool }: TestDatabase, walletId: number): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as count from transactions where wallet_id = $1', [walletId])
  return rows[0].count
}

test('whatever happens on the way, a posting is executed once and answered as it was recorded', async ({
  database,
  way,
}) => {
  const { client, wallet } = await signUp(way.url)
  const mishaps: Mishap[] = ['lost', 'busy', 'unanswered', 'silent', 'stalled', 'lost', 'none']
  const asked: string[] = []
  way.next = (path) => {
    asked.push(path)
    return mishaps[asked.length - 1] ?? 'none'
  }
  const { transaction, replayed } = await client.post({ entry: 'credit', amount: 500 })
  // On a busy machine, a try may also be given up for its time.
  expect(asked.length).toBeGreaterThanOrEqual(mishaps.length)
  expect(replayed).toBe(true)
  expect(transaction).toMatchObject({ entry: 'credit', amount: 500, balance: 500, sequence: 1 })
  expect(await countTransactions(database, wallet.wallet_id)).toBe(1)

  expect(await client.post({ entry: 'debit', amount: 200, trans_id: 'order-1' })).toMatchObject({ replayed: false })
  expect(await client.post({ entry: 'debit', amount: 200, trans_id: 'order-1' })).toMatchObject({ replayed: true })
  expect((await client.wallet()).wallet.balance).toBe(300)
})

test('a refusal is an error with its code, at once', async ({ way }) => {
  const { client } = await signUp(way.url)
  let asked = 0
  way.next = () => {
    asked += 1
    return 'none'
  }
  const error = await client.post({ entry: 'debit', amount: 1, trans_id: 'too much' }).catch((thrown) => thrown)
  expect(error).toBeInstanceOf(ProblemError)
  expect(error).toMatchObject({ status: 422, code: 'insufficient_funds', problem: { balance: 0 } })
  expect(asked).toBe(1)
  expect(await client.outcome('too much')).toMatchObject({ outcome: 'refused' })
  for (const trans_id of ['.', '..', '%2e', 'a/b']) {
    await client.post({ entry: 'credit', amount: 1, trans_id })
    expect(await client.outcome(trans_id)).toMatchObject({ outcome: 'accepted', transaction: { trans_id } })
  }
})

test('a posting that is never answered names the key to ask with, and asking tells what became of it', async ({
  way,
}) => {
  const { client } = await signUp(way.url, { retry: { ...RETRY, timeoutMs: 1_200 } })
  way.next = () => 'silent'
  // The time runs out however often garbage is collected meanwhile.
  const collecting = setInterval(collectGarbage, 20)
  const error = await client.post({ entry: 'credit', amount: 7 }).catch((thrown) => thrown)
  clearInterval(collecting)
  expect(error).toBeInstanceOf(UnansweredError)
  expect(error.cause).toMatchObject({ name: 'TimeoutError' })
  way.next = () => 'none'
  expect(await client.outcome(error.key)).toMatchObject({ outcome: 'accepted', transaction: { amount: 7 } })
})

test('a busy answer that does not pass in time is returned', async ({ way }) => {
  const { client } = await signUp(way.url, { retry: { ...RETRY, timeoutMs: 1_500, tryTimeoutMs: 1_500 } })
  way.next = () => 'busy'
  expect(await client.wallet().catch((thrown) => thrown)).toMatchObject(BUSY)
})

test('after a busy answer and then silence, a read returns the busy answer, and the outcome of a write is unknown', async ({
  way,
}) => {
  const { client } = await signUp(way.url, {
    retry: { ...RETRY, timeoutMs: 1_500, tryTimeoutMs: 1_500 },
    // Silent from the first answer on that the client has. A count of requests would also count an earlier one that the
    // client gave up and that arrives late.
    fetch: async (request) => {
      const answer = await fetch(request)
      if (answer.status === BUSY.status) way.next = () => 'silent'
      return answer
    },
  })
  way.next = () => 'busy'
  expect(await client.wallet().catch((thrown) => thrown)).toMatchObject(BUSY)
  // A write that got no answer may have taken effect.
  way.next = () => 'busy'
  await expect(client.post({ entry: 'credit', amount: 1 })).rejects.toBeInstanceOf(UnansweredError)
})

test('sign-up is sent once: made twice, the second would find its own address taken', async ({ way }) => {
  let asked = 0
  way.next = () => {
    asked += 1
    return 'unanswered'
  }
  await expect(signUp(way.url)).rejects.toThrow(TypeError)
  expect(asked).toBe(1)
})

test('tokens are renewed before they end, by one refresh for all who ask at once, also when its answer is lost', async ({
  way,
}) => {
  const kept: unknown[] = []
  const { client } = await signUp(way.url, { onTokens: (tokens) => kept.push(tokens) })
  const [first] = kept as [NonNullable<LedgerClientOptions['tokens']>]
  const aged = { ...first, access_token: { ...first.access_token, expires_at: new Date().toISOString() } }
  const old = createLedgerClient({
    ...{ baseUrl: way.url, retry: RETRY, tokens: aged },
    onTokens: (tokens) => kept.push(tokens),
  })
  const refreshes: string[] = []
  way.next = (path) => {
    if (path.endsWith('/auth/refresh')) refreshes.push(path)
    return refreshes.length === 1 && path.endsWith('/auth/refresh') ? 'unanswered' : 'none'
  }
  await Promise.all(Array.from({ length: 20 }, () => old.wallet()))
  expect(refreshes).toHaveLength(2) // the first one's answer was lost
  expect(kept).toHaveLength(2)
  await old.logOut()
  expect(kept.at(-1)).toBeUndefined()
  await expect(old.wallet()).rejects.toMatchObject({ status: 401 })
  await client.wallet() // an access token stays valid until it expires, even after the log-out
})

test('a refresh whose answer never comes is repeated while the API still accepts its token', async ({ way }) => {
  const kept: unknown[] = []
  await signUp(way.url, { onTokens: (tokens) => kept.push(tokens) })
  const [first] = kept as [NonNullable<LedgerClientOptions['tokens']>]
  const aged = { ...first, access_token: { ...first.access_token, expires_at: new Date().toISOString() } }
  // With the times that every client has: one try of another request may take longer than the token is accepted.
  const client = createLedgerClient({ baseUrl: way.url, tokens: aged })
  let refreshes = 0
  way.next = (path) => {
    if (path.endsWith('/auth/refresh')) refreshes += 1
    return refreshes === 1 && path.endsWith('/auth/refresh') ? 'silent' : 'none'
  }
  await client.wallet()
  expect(refreshes).toBe(2)
})

test('an access token that is not taken any more is replaced, and the request sent again', async ({ way }) => {
  const kept: LedgerClientOptions['tokens'][] = []
  const { person } = await signUp(way.url, { onTokens: (tokens) => kept.push(tokens) })
  const [first] = kept as [NonNullable<LedgerClientOptions['tokens']>]
  const spoilt = { ...first, access_token: { ...first.access_token, token: `${first.access_token.token}x` } }
  const client = createLedgerClient({ baseUrl: way.url, retry: RETRY, tokens: spoilt })
  expect((await client.post({ entry: 'credit', amount: 1 })).replayed).toBe(false)

  const stranger = createLedgerClient({ baseUrl: way.url, retry: RETRY })
  await expect(stranger.wallet()).rejects.toMatchObject({ status: 401, code: 'unauthenticated' })
  await stranger.logIn({ email: person.email, password: PASSWORD })
  expect((await stranger.wallet()).wallet.balance).toBe(1)
})

test('the history comes page after page, and its filters with it', async ({ way }) => {
  const { client } = await signUp(way.url)
  for (let amount = 1; amount <= 120; amount += 1) {
    await client.post({ entry: amount % 2 === 1 ? 'credit' : 'debit', amount: 1 })
  }
  const sequences: number[] = []
  for await (const { sequence, entry } of client.transactions({ entry: 'credit' })) {
    expect(entry).toBe('credit')
    sequences.push(sequence)
  }
  expect(sequences).toEqual(Array.from({ length: 60 }, (_, index) => 119 - 2 * index))
})
