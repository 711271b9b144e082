import { readMetric, type ServiceProcess, startTcpProxy } from '@streamledger/testkit'
import { test as base, expect, signUp } from './api.ts'
import { spawnApis } from './api-processes.ts'
import type { Answer, Client } from './client.ts'
import { createClient } from './client.ts'

const USERS = 20
/** Several queries' worth: a query reads at most 32 pages. */
const PAGES = 800
const LOG_INS_PER_USER = 3
/** QUEUE_TIMEOUT_MS, and a lot for a busy machine. Without a deadline the last pages wait for 40 s, the last log-ins for 90 s. */
const ANSWERED_WITHIN_MS = 20_000
const DRAIN_TIMEOUT_MS = 20_000

/** An API process with its own users, behind a proxy that can go silent. */
const test = base.extend('stack', async ({ createDatabase, spawnService }, { onCleanup }) => {
  const { url } = await createDatabase()
  const proxy = await startTcpProxy(url)
  onCleanup(() => proxy.close())
  // A busy machine needs the delay to take in what was sent before the stop.
  const env = {
    DRAIN_TIMEOUT_MS: String(DRAIN_TIMEOUT_MS),
    DRAIN_DELAY_MS: '3000',
    DATABASE_CONNECT_TIMEOUT_MS: '3000',
  }
  const [api] = (await spawnApis(spawnService, proxy.address, { env })) as [ServiceProcess]
  const users: Client[] = []
  while (users.length < USERS) users.push(await signUp(api.url))
  return { proxy, api, users }
})

interface Timed {
  answer: Answer
  tookMs: number
}

async function timed(call: Promise<Answer>): Promise<Timed> {
  const startedAt = performance.now()
  return { answer: await call, tookMs: performance.now() - startedAt }
}

const logIn = (url: string, { account }: Client) =>
  timed(
    createClient(url).call('POST', '/auth/login', {
      body: { email: account.user.email, password: 'a long pass phrase' },
    }),
  )

const logInAll = (url: string, users: readonly Client[]) =>
  users.flatMap((user) => Array.from({ length: LOG_INS_PER_USER }, () => logIn(url, user)))

/** Different pages, so that no two share a look-up. */
const readPages = (users: readonly Client[], count: number) =>
  Array.from({ length: count }, (_, index) => {
    const user = users[index % users.length] as Client
    return timed(user.get(`/transactions?limit=${1 + Math.floor(index / users.length)}`))
  })

function expectTurnedAway(answers: readonly Timed[]): void {
  for (const { answer, tookMs } of answers) {
    expect(answer.status, answer.text).toBe(503)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS)
  }
}

test('while the database is frozen every log-in and read is answered in time, and soon after it all are served again', async ({
  stack: { proxy, api, users },
}) => {
  proxy.hang()
  const answers = await Promise.all([
    ...logInAll(api.url, users),
    ...users.map((user) => timed(user.get('/wallet'))),
    ...readPages(users, PAGES),
  ])
  expectTurnedAway(answers)

  // More callers, and then it thaws: the ones of before must not hold up the next one.
  const waiting = [...readPages(users, PAGES), ...users.slice(0, 10).map((user) => logIn(api.url, user))]
  await expect.poll(() => countWaiting(api), { timeout: ANSWERED_WITHIN_MS }).toBeGreaterThan(0)
  proxy.release()
  const [user] = users as [Client]
  // A busy machine may need a second try.
  const served = async (ask: () => Promise<Timed>) =>
    expect.poll(async () => (await ask()).answer.status, { timeout: ANSWERED_WITHIN_MS / 2 }).toBe(200)
  await Promise.all([served(() => timed(user.get('/transactions?limit=199'))), served(() => logIn(api.url, user))])
  await Promise.all(waiting)
}, 120_000)

test('a stop while the database is frozen cuts off no request, and ends in order within its time', async ({
  stack: { proxy, api, users },
}) => {
  proxy.hang()
  const asked = [...logInAll(api.url, users), ...readPages(users, PAGES / 4)]
  await expect
    .poll(() => readMetric(api, 'http_connections'), { timeout: ANSWERED_WITHIN_MS })
    .toBeGreaterThanOrEqual(asked.length)
  const stoppedAt = performance.now()
  api.signal('SIGTERM')
  expectTurnedAway(await Promise.all(asked))
  expect(await api.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - stoppedAt).toBeLessThan(DRAIN_TIMEOUT_MS + 1_000)
}, 120_000)

/** Log-ins that wait for their turn. */
const countWaiting = (api: ServiceProcess): Promise<number> => readMetric(api, 'password_hashes_waiting')
