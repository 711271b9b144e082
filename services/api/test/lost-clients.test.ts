import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, readMetric, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { openFilesBelow, spawnApis } from './api-processes.ts'
import { makeBigExport } from './big-export.ts'
import { makeUsers } from './ledger/wallets.ts'
import { expectTruth } from './ledger-truth.ts'
import { type Order, send, signAccessToken } from './posting-load.ts'
import { formatRequest, openConnection, type RawConnection } from './raw-connection.ts'

// Clients that disconnect before their answer. Each request takes effect completely or not at all, the client finds out
// by asking again, and no resources leak.

const TIMEOUT_MS = 20_000
const GONE_WITHIN_MS = 20
const FILE_BYTES = 64 * 2 ** 20

function makeOrders(user_id: number, count: number): Order[] {
  return Array.from({ length: count }, (_, index) => ({
    ...{ user_id, entry: 'credit' as const, amount: index + 1, trans_id: randomUUID() },
  }))
}

const formatOrder = ({ user_id, ...body }: Order): string =>
  formatRequest('POST', '/api/v1/transactions', { token: signAccessToken(user_id), body: JSON.stringify(body) })

async function sendAndHold(url: string, text: string): Promise<RawConnection> {
  const connection = await openConnection(url)
  connection.socket.write(text)
  return connection
}

/** Its last lines are written when it stops. */
async function expectNothingLogged(api: ServiceProcess): Promise<void> {
  api.signal('SIGTERM')
  await api.exited
  expect(logsOf(api)).toEqual([])
}

/** All but the warning that the tests' role owns the tables. */
const logsOf = ({ logs }: ServiceProcess): string[] =>
  logs.split('\n').filter((line) => line !== '' && !line.includes('may do more than it needs'))

async function repeat({ url }: ServiceProcess, orders: readonly Order[]) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const answered = await Promise.all(
    orders.map(async (order) => {
      const reply = await send(url, order, { agent, timeoutMs: TIMEOUT_MS })
      if (!reply) throw new Error('a connection broke')
      return { order, reply, tries: [] }
    }),
  )
  agent.destroy()
  return answered
}

test('who hangs up while a posting waits for its commit finds it done, once, by asking again', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const env = { DATABASE_LOCK_TIMEOUT_MS: '10000', POSTING_TIMEOUT_MS: '20000', STATEMENT_TIMEOUT_MS: '20000' }
  const [api] = (await spawnApis(spawnService, url, { env })) as [ServiceProcess]
  const [user_id] = (await makeUsers(pool, 1)) as [number]
  const orders = makeOrders(user_id, 30)
  const holder = await pool.connect()
  try {
    await holder.query('begin')
    await holder.query('select from wallets where user_id = $1 for update', [user_id])
    const connections = await Promise.all(orders.map((order) => sendAndHold(api.url, formatOrder(order))))
    await waitFor(async () => (await readMetric(api, 'posting_pending')) === orders.length)
    for (const { socket } of connections) socket.destroy()
    await waitFor(async () => (await readMetric(api, 'http_connections')) === 0)
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  await waitFor(async () => (await readMetric(api, 'posting_pending')) === 0)
  const answered = await repeat(api, orders)
  expect(answered.map(({ reply }) => [reply.status, reply.replayed])).toEqual(orders.map(() => [201, true]))
  await expectTruth(pool, answered)
  await expectNothingLogged(api)
})

test('whenever a client hangs up, what it had sent as a whole is posted or not, and the rest is not', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const [api] = (await spawnApis(spawnService, url)) as [ServiceProcess]
  const users = await makeUsers(pool, 5)
  const whole = users.flatMap((user_id) => makeOrders(user_id, 60))
  const halves = users.flatMap((user_id) => makeOrders(user_id, 20))
  const hangUp = async (text: string, pauseMs: number) => {
    const { socket } = await sendAndHold(api.url, text)
    await delay(pauseMs)
    socket.destroy()
  }
  await Promise.all([
    ...whole.map((order, index) => hangUp(formatOrder(order), index % GONE_WITHIN_MS)),
    ...halves.map((order, index) => hangUp(formatOrder(order).slice(0, -1 - (index % 40)), index % GONE_WITHIN_MS)),
  ])
  await waitFor(async () => (await readMetric(api, 'http_connections')) === 0)
  await waitFor(async () => (await readMetric(api, 'posting_pending')) === 0)
  const answered = await repeat(api, whole)
  expect(new Set(answered.map(({ reply }) => reply.status))).toEqual(new Set([201]))
  // It also checks that nothing else was posted.
  await expectTruth(pool, answered)
  await expectNothingLogged(api)
})

test('who hangs up in the middle of a download leaves no file open', async ({
  database: { db, pool, url },
  spawnService,
}) => {
  const folder = await mkdtemp(join(tmpdir(), 'streamledger-exports-'))
  try {
    const [api] = (await spawnApis(spawnService, url, { env: { EXPORT_DIR: folder } })) as [ServiceProcess]
    const [user_id] = (await makeUsers(pool, 1)) as [number]
    const token = signAccessToken(user_id)
    const request = formatRequest('GET', await makeBigExport(db, { folder, user_id, size: FILE_BYTES }), { token })
    await Promise.all(
      Array.from({ length: 100 }, async (_, index) => {
        const { socket } = await sendAndHold(api.url, request)
        await delay(index % (5 * GONE_WITHIN_MS))
        socket.destroy()
      }),
    )
    await waitFor(async () => (await readMetric(api, 'http_connections')) === 0)
    await waitFor(() => openFilesBelow(folder, api).length === 0)
    // And the next one has all of it.
    const answer = await fetch(`${api.url}${request.split(' ', 2)[1]}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    expect((await answer.arrayBuffer()).byteLength).toBe(FILE_BYTES)
    await waitFor(() => openFilesBelow(folder, api).length === 0)
    await expectNothingLogged(api)
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('who hangs up during a log-in or a sign-up is no fault of ours', async ({
  database: { pool, url },
  spawnService,
}) => {
  const [api] = (await spawnApis(spawnService, url)) as [ServiceProcess]
  const password = 'a long pass phrase'
  const requests = Array.from({ length: 20 }, (_, index) => {
    const email = `lost-${index}@example.com`
    const person = index % 2 === 0 ? {} : { first_name: 'Ada', last_name: 'Obi' }
    const body = JSON.stringify({ ...person, email, password })
    return formatRequest('POST', index % 2 === 0 ? '/api/v1/auth/login' : '/api/v1/auth/signup', { body })
  })
  await Promise.all(
    requests.map(async (request, index) => {
      const { socket } = await sendAndHold(api.url, request)
      await delay(index)
      socket.destroy()
    }),
  )
  await waitFor(async () => (await readMetric(api, 'http_connections')) === 0)
  // Everything that was done was done completely.
  await waitFor(async () => {
    const { rows } = await pool.query(
      `select u.id from users u left join wallets w on w.user_id = u.id left join sessions s on s.user_id = u.id
         left join security_events e on e.user_id = u.id and e.kind = 'signed_up'
        where u.email like 'lost-%' and (w.id is null or s.id is null or e.id is null)`,
    )
    expect(rows).toEqual([])
  })
  await expectNothingLogged(api)
})

test('a stop waits for the log-in of one who hung up: it meets no closed database', async ({
  createDatabase,
  spawnService,
}) => {
  const { pool, url } = await createDatabase()
  const env = { DATABASE_LOCK_TIMEOUT_MS: '10000', STATEMENT_TIMEOUT_MS: '20000' }
  const [api] = (await spawnApis(spawnService, url, { env })) as [ServiceProcess]
  const body = JSON.stringify({ email: 'nobody@example.com', password: 'a long pass phrase' })
  const holder = await pool.connect()
  try {
    await holder.query('begin')
    await holder.query('lock table users in access exclusive mode')
    const { socket } = await sendAndHold(api.url, formatRequest('POST', '/api/v1/auth/login', { body }))
    await waitFor(async () => {
      const { rows } = await holder.query('select from pg_locks where not granted')
      return rows.length === 1
    })
    socket.destroy()
    api.signal('SIGTERM')
    // From here on, only requests that are waited for keep the database open.
    await waitFor(() =>
      fetch(api.url).then(
        () => false,
        () => true,
      ),
    )
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  await api.exited
  expect(logsOf(api)).toEqual([])
  const { rows } = await pool.query('select kind from security_events')
  expect(rows).toEqual([{ kind: 'log_in_failed' }])
})
