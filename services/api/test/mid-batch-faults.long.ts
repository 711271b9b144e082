import { createDatabase } from '@streamledger/db/database'
import { expect, type ServiceProcess, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { spawnApis } from './api-processes.ts'
import { makeUsers } from './ledger/wallets.ts'
import { expectTruth } from './ledger-truth.ts'
import { type Answered, type Load, startLoad } from './posting-load.ts'

// Real API processes under load, on a real Postgres, and something breaks in the middle of their batches. Clients retry
// requests without a final answer. Afterwards every answer must be in the ledger exactly once, as it was given.

const CLIENTS = 32
const USERS = 100
const WRITE = 'write-ledger' // the name of the prepared statement

const urlsOf = (services: readonly ServiceProcess[]): string[] => services.map(({ url }) => url)
const triedAgain = ({ answered }: Load): Answered[] => answered.filter(({ tries }) => tries.length > 1)

/** Resolves when this many more orders are answered. */
async function progress({ answered }: Load, count: number): Promise<void> {
  const enough = answered.length + count
  await waitFor(() => answered.length >= enough, { timeoutMs: 20_000 })
}

function expectNoOddAnswers({ answered }: Load): void {
  expect(
    [...new Set(answered.map(({ reply }) => reply.status))].filter((status) => status !== 201 && status !== 422),
  ).toEqual([])
}

test('backends that are ended again and again', async ({ createDatabase: create, spawnService }) => {
  const { pool, url } = await create()
  const targets = urlsOf(await spawnApis(spawnService, url, { count: 2 }))
  const load = startLoad({ targets, users: await makeUsers(pool, USERS), clients: CLIENTS })
  await progress(load, 200)
  let ended = 0
  await waitFor(
    async () => {
      ended += await endBackends(pool)
      return ended >= 25
    },
    { timeoutMs: 20_000, intervalMs: 50 },
  )
  await progress(load, 200)
  await load.stop()
  expectNoOddAnswers(load)
  await expectTruth(pool, load.answered)
})

/** Ends the backends that are in the middle of writing a batch: those with a transaction id have written. */
async function endBackends(pool: Pool): Promise<number> {
  const { rows } = await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'streamledger api'
        and backend_xid is not null`,
  )
  return rows.length
}

test('connections that are cut after the commit and before its answer', async ({
  createDatabase: create,
  spawnService,
}) => {
  const { pool, url } = await create()
  const proxy = await startTcpProxy(url)
  const targets = urlsOf(await spawnApis(spawnService, proxy.address))
  const load = startLoad({ targets, users: await makeUsers(pool, USERS), clients: CLIENTS })
  try {
    await progress(load, 200)
    proxy.loseAnswers(WRITE, 5)
    await waitFor(() => proxy.lost >= 40, { timeoutMs: 20_000 })
    proxy.loseAnswers(WRITE, 0)
    await progress(load, 200)
    await load.stop()
  } finally {
    await proxy.close()
  }
  expectNoOddAnswers(load)
  // The first request was answered as a replay: the API itself found the outcome of its lost write.
  const trans_ids = new Set<string>()
  const found = load.answered.filter(({ order, reply }) => {
    const isFirst = !trans_ids.has(order.trans_id)
    trans_ids.add(order.trans_id)
    return isFirst && reply.replayed
  })
  expect(found.length).toBeGreaterThan(40)
  await expectTruth(pool, load.answered)
})

test('an API process that is stopped and continued: the other does not notice', async ({
  createDatabase: create,
  spawnService,
}) => {
  const STOPPED_MS = 3_000
  const UNNOTICED_MS = 1_500
  const env = { DATABASE_LOCK_TIMEOUT_MS: '1000' }
  const { pool, url } = await create()
  const [stopped, other] = (await spawnApis(spawnService, url, { count: 2, env })) as [ServiceProcess, ServiceProcess]
  const users = await makeUsers(pool, USERS)
  // The clients of the first process go to the other one when they get no answer.
  const loads = [[stopped, other], [other]].map((services) =>
    startLoad({ targets: urlsOf(services), users, clients: CLIENTS / 2, timeoutMs: 1_000 }),
  ) as [Load, Load]
  await Promise.all(loads.map((load) => progress(load, 200)))

  const since = await stopInMidWrite(pool, { hot: users[0] as number, process: stopped })
  await waitFor(() => performance.now() - since > STOPPED_MS)
  const until = performance.now()
  stopped.signal('SIGCONT')
  await Promise.all(loads.map((load) => progress(load, 200)))
  await Promise.all(loads.map((load) => load.stop()))

  // Including those answered after the stop: they may have waited until it ended.
  const unnoticed = loads[1].answered
    .flatMap(({ tries }) => tries)
    .filter(({ sentAt }) => sentAt > since && sentAt < until)
  expect(unnoticed.length).toBeGreaterThan(100)
  expect(unnoticed.filter(({ status }) => status === 503 || status === undefined)).toEqual([])
  expect(Math.max(...unnoticed.map(({ ms }) => ms))).toBeLessThan(UNNOTICED_MS)
  expect(triedAgain(loads[0]).length).toBeGreaterThan(0)
  for (const load of loads) expectNoOddAnswers(load)
  await expectTruth(
    pool,
    loads.flatMap(({ answered }) => answered),
  )
})

/** Stops the process while Postgres is about to execute one of its writes, so that it never learns the outcome. */
async function stopInMidWrite(pool: Pool, target: { hot: number; process: ServiceProcess }): Promise<number> {
  const holder = await pool.connect()
  try {
    await holder.query('begin')
    await holder.query('select from wallets where user_id = $1 for update', [target.hot])
    // Each of the two processes has at most one batch with the hot wallet at a time.
    await waitFor(async () => {
      const { rows } = await pool.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      )
      return rows.length === 2
    })
    target.process.signal('SIGSTOP')
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  return performance.now()
}

test('a Postgres that is killed and started again', async ({ startPostgres, spawnService }) => {
  const postgres = await startPostgres()
  const targets = urlsOf(await spawnApis(spawnService, postgres.url, { count: 2 }))
  const { pool, close } = createDatabase(postgres.url, {
    applicationName: 'test',
    connectionsMax: 2,
    statementTimeoutMs: 10_000,
  })
  try {
    const load = startLoad({ targets, users: await makeUsers(pool, USERS), clients: CLIENTS })
    for (let kills = 0; kills < 3; kills += 1) {
      await progress(load, 300)
      await postgres.kill()
      await postgres.start()
    }
    await progress(load, 300)
    await load.stop()
    expectNoOddAnswers(load)
    await expectTruth(pool, load.answered)
  } finally {
    await close()
  }
})
