import { randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, readMetric, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { spawnApis } from './api-processes.ts'
import { makeUsers } from './ledger/wallets.ts'
import { expectTruth } from './ledger-truth.ts'
import { type Answered, type Order, type Reply, send, signAccessToken } from './posting-load.ts'

const CONNECTIONS = 2_000
/** By then all connections are open, and hot code is compiled. */
const WARM_REFUSALS = 3_000
const REFUSALS = 9_000
/** A refusal that waited, waited this long. It is much longer than 2,000 clients keep a busy machine from sending one. */
const POSTING_TIMEOUT_MS = 20_000
/** For the median. */
const REFUSED_WITHIN_MS = POSTING_TIMEOUT_MS / 2
/** Share of all answers. If a flood were refused as fast as it comes, few requests would be served: 3 to 19%. */
const SERVED_SHARE_MIN = 0.3
/** V8 grows the heap rather than collecting. With this limit, a memory leak soon ends the process. */
const NODE_OPTIONS = '--max-old-space-size=128 --max-semi-space-size=4'
const GROWTH_MAX_MIB = 48
/** How long a refused client waits: less than Retry-After, to keep the pressure up. */
const PAUSE_MS = 100
const TIMEOUT_MS = 25_000

interface Refusal {
  ms: number
  retryAfter: string | undefined
  code: string
}

/** All clients post without a pause, each on its own connection, and retry each order until it is accepted. */
function startCrowd(url: string, users: readonly number[]) {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS })
  const answered: Answered[] = []
  const refusals: Refusal[] = []
  let stopped = false

  async function insist(order: Order): Promise<Reply> {
    for (;;) {
      const sentAt = performance.now()
      const reply = await send(url, order, { agent, timeoutMs: TIMEOUT_MS })
      if (!reply) throw new Error('a connection broke')
      if (reply.status !== 503) return reply
      refusals.push({ ms: performance.now() - sentAt, retryAfter: reply.retryAfter, code: JSON.parse(reply.text).code })
      await delay(PAUSE_MS)
    }
  }

  async function client(index: number): Promise<void> {
    const user_id = users[index % users.length] as number
    while (!stopped) {
      const order: Order = { user_id, entry: 'credit', amount: 1 + (index % 9), trans_id: randomUUID() }
      answered.push({ order, reply: await insist(order), tries: [] })
    }
  }

  const running = Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => client(index)))
  running.catch(() => {}) // told by `stop`
  return {
    answered,
    refusals,
    stop: async () => {
      stopped = true
      await running
      agent.destroy()
    },
  }
}

const residentMib = async (api: ServiceProcess): Promise<number> =>
  (await readMetric(api, 'process_resident_memory_bytes')) / 2 ** 20

test('a full waiting room refuses at once, serves those who are in it, and does not grow', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const env = {
    POSTING_WAITING_MAX: '100',
    POSTING_BATCH_ROWS_MAX: '50',
    POSTING_TIMEOUT_MS: String(POSTING_TIMEOUT_MS),
    NODE_OPTIONS,
  }
  const [api] = (await spawnApis(spawnService, url, { env })) as [ServiceProcess]
  const crowd = startCrowd(api.url, await makeUsers(pool, 500))
  const refusedTimes = (count: number) => waitFor(() => crowd.refusals.length >= count, { timeoutMs: 180_000 })
  await refusedTimes(WARM_REFUSALS)
  const before = await residentMib(api)
  const servedBefore = crowd.answered.length
  await refusedTimes(REFUSALS)
  const after = await residentMib(api)
  const served = crowd.answered.length - servedBefore
  const servedShare = served / (served + crowd.refusals.length - WARM_REFUSALS)
  await crowd.stop()

  const refusals = crowd.refusals.slice(WARM_REFUSALS)
  const times = refusals.map(({ ms }) => ms).toSorted((one, other) => one - other)
  expect(times[Math.floor(times.length / 2)]).toBeLessThan(REFUSED_WITHIN_MS)
  expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['busy']))
  expect(new Set(refusals.map(({ retryAfter }) => retryAfter))).toEqual(new Set(['1', '2', '3', '4']))
  expect(after - before).toBeLessThan(GROWTH_MAX_MIB)
  expect(servedShare).toBeGreaterThan(SERVED_SHARE_MIN)
  // Each order was accepted in the end, after any number of refusals.
  expect(crowd.answered.length).toBeGreaterThanOrEqual(CONNECTIONS)
  expect(new Set(crowd.answered.map(({ reply }) => reply.status))).toEqual(new Set([201]))
  await expectTruth(pool, crowd.answered)
}, 480_000)

test('who finds the room full is refused before the body is read, and not before the token', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const env = { POSTING_WAITING_MAX: '1', POSTING_BATCHES_MAX: '1', DATABASE_LOCK_TIMEOUT_MS: '5000' }
  const [api] = (await spawnApis(spawnService, url, { env })) as [ServiceProcess]
  const [user_id] = (await makeUsers(pool, 1)) as [number]
  const post = async (body: string, headers = { authorization: `Bearer ${signAccessToken(user_id)}` }) => {
    const all = { ...headers, 'content-type': 'application/json' }
    const answer = await fetch(`${api.url}/api/v1/transactions`, { method: 'POST', headers: all, body })
    return { status: answer.status, code: JSON.parse(await answer.text()).code }
  }
  const credit = (trans_id: string) => post(JSON.stringify({ entry: 'credit', amount: 1, trans_id }))
  const pending = () => readMetric(api, 'posting_pending')

  const holder = await pool.connect()
  try {
    await holder.query('begin')
    await holder.query('select from wallets where user_id = $1 for update', [user_id])
    const underWay = credit('first')
    await waitFor(async () => (await pending()) === 1)
    const waiting = credit('second')
    await waitFor(async () => (await pending()) === 2)
    expect(await post('no JSON')).toEqual({ status: 503, code: 'busy' })
    expect(await post('no JSON', { authorization: 'Bearer a.b.c' })).toEqual({ status: 401, code: 'unauthenticated' })
    await holder.query('rollback')
    expect([(await underWay).status, (await waiting).status]).toEqual([201, 201])
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  expect(await post('no JSON')).toEqual({ status: 400, code: 'malformed_request' })
})
