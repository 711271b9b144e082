import { randomUUID } from 'node:crypto'
import { startTcpProxy } from '@streamledger/testkit'
import { expect, startApi, test, waitFor } from './api.ts'
import { claimTopic } from './claim-topic.ts'
import { type Client, createClient } from './client.ts'

/** An API whose connection to the database can be cut. */
const cut = test.extend('cut', async ({ database, api }, { onCleanup }) => {
  const proxy = await startTcpProxy(database.url)
  const server = await startApi(proxy.address, { STATEMENT_TIMEOUT_MS: '500', DATABASE_POOL_MAX: '4' })
  const { account } = await api.signUp()
  onCleanup(async () => {
    proxy.release()
    await server.stop()
    await proxy.close()
  })
  return { proxy, server, client: createClient(server.url, account) }
})

async function expectTurnedAway(client: Client): Promise<void> {
  const email = 'a@example.com'
  const answers = await Promise.all([
    client.get('/wallet'),
    client.get('/transactions'),
    client.get('/transactions/1'),
    client.post('credit', 1),
    client.call('POST', '/transactions/export'),
    client.call('POST', '/auth/login', { body: { email, password: 'a long pass phrase' } }),
  ])
  for (const { status, json, headers } of answers) {
    expect(status).toBe(503)
    expect(['unavailable', 'outcome_unknown', 'busy']).toContain(json.code)
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(JSON.stringify(json)).not.toMatch(/ECONN|connect|127\.0\.0\.1|terminat|timeout/i)
  }
}

async function expectFlowing(client: Client): Promise<void> {
  await waitFor(async () => (await client.get('/wallet')).status === 200)
  expect((await client.post('credit', 1)).status).toBe(201)
}

cut('a database that is down is answered 503 and found again when it is back', async ({ cut: { proxy, client } }) => {
  await expectFlowing(client)
  proxy.goDown()
  await expectTurnedAway(client)
  proxy.comeUp()
  await expectFlowing(client)
})

cut('a database that has gone silent is answered 503 within a bound', async ({ cut: { proxy, client } }) => {
  await expectFlowing(client)
  proxy.hang()
  const startedAt = performance.now()
  await expectTurnedAway(client)
  expect(performance.now() - startedAt).toBeLessThan(40_000)
  proxy.release()
  await expectFlowing(client)
})

cut(
  'connections that have died without a word are given up one by one, and new ones are used',
  async ({ cut: { proxy, client } }) => {
    await Promise.all(Array.from({ length: 8 }, () => client.get('/transactions')))
    proxy.strand()
    const statuses: number[] = []
    await waitFor(
      async () => {
        statuses.push((await client.get('/transactions')).status)
        return statuses.slice(-5).length === 5 && statuses.slice(-5).every((status) => status === 200)
      },
      { timeoutMs: 30_000 },
    )
    expect(statuses).toContain(503)
  },
)

cut('a posting whose answer was lost takes effect once when it is sent again', async ({ cut: { proxy, client } }) => {
  await expectFlowing(client)
  const before = await client.balance()
  const trans_id = randomUUID()
  const sent = client.post('credit', 10, trans_id)
  proxy.goDown()
  const first = await sent
  proxy.comeUp()
  await waitFor(async () => (await client.get('/wallet')).status === 200)
  expect([201, 503]).toContain(first.status)
  expect(await client.post('credit', 10, trans_id)).toMatchObject({ status: 201 })
  expect(await client.balance()).toBe(before + 10)
})

cut(
  'a connection that breaks in the middle of a transaction fails that request alone',
  async ({ cut: { client, server }, database }) => {
    await expectFlowing(client)
    // A connection that inserts a session is cut before its next statement.
    await database.pool.query(`
    create function cut_off() returns trigger language plpgsql as $$
    begin
      perform pg_terminate_backend(pg_backend_pid());
      return new;
    end $$;
    create trigger cut_off after insert on sessions execute function cut_off()`)
    const { email } = client.account.user
    const logIn = () =>
      server.anonymous.call('POST', '/auth/login', { body: { email, password: 'a long pass phrase' } })
    expect(await logIn()).toMatchObject({ status: 503, json: { code: 'unavailable' } })
    await database.pool.query('drop trigger cut_off on sessions; drop function cut_off')
    expect((await logIn()).status).toBe(200)
  },
)

cut('a statement that takes too long is answered 503', async ({ cut: { client }, database }) => {
  await expectFlowing(client)
  const release = await lockWallet()
  try {
    const answer = await client.call('POST', '/transactions/export')
    expect(answer).toMatchObject({ status: 503, json: { code: 'unavailable' } })
  } finally {
    await release()
  }
  expect((await client.call('POST', '/transactions/export')).status).toBe(202)

  async function lockWallet(): Promise<() => Promise<void>> {
    const connection = await database.pool.connect()
    await connection.query('begin')
    await connection.query('select from wallets where user_id = $1 for update', [client.account.user.user_id])
    return async () => {
      await connection.query('rollback')
      connection.release()
    }
  }
})

test('more requests than connections wait their turn, and all are answered', async ({ database, api }) => {
  const narrow = await startApi(database.url, { DATABASE_POOL_MAX: '2' })
  try {
    const client = createClient(narrow.url, (await api.signUp()).account)
    const answers = await Promise.all(Array.from({ length: 60 }, () => client.get('/wallet')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  } finally {
    await narrow.stop()
  }
})

test('a statement that Postgres ends for taking too long is answered 503, and the next one is not', async ({
  createDatabase,
}) => {
  const { url, pool } = await createDatabase()
  await claimTopic(pool)
  const hasty = await startApi(url, { STATEMENT_TIMEOUT_MS: '300' })
  try {
    const client = await hasty.signUp()
    await pool.query(`
      create function linger() returns trigger language plpgsql as $$ begin perform pg_sleep(30); return new; end $$;
      create trigger linger before insert on sessions for each row execute function linger();
      create trigger linger before insert on transactions for each row execute function linger()`)
    const { email } = client.account.user
    const logIn = () => hasty.anonymous.call('POST', '/auth/login', { body: { email, password: 'a long pass phrase' } })
    const trans_id = randomUUID()
    const answers = await Promise.all([logIn(), client.post('credit', 5, trans_id)])
    for (const { status, headers } of answers) {
      expect(status).toBe(503)
      expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    }
    await pool.query('drop trigger linger on sessions; drop trigger linger on transactions')
    expect((await logIn()).status).toBe(200)
    expect((await client.post('credit', 5, trans_id)).status).toBe(201)
    expect(await client.balance()).toBe(5)
  } finally {
    await hasty.stop()
  }
})

test('when every connection is taken for too long, who waits is answered 503 in time, and then it flows', async ({
  createDatabase,
}) => {
  const { url, pool } = await createDatabase()
  await claimTopic(pool)
  const env = { DATABASE_POOL_MAX: '2', DATABASE_CONNECT_TIMEOUT_MS: '500', DATABASE_LOCK_TIMEOUT_MS: '4000' }
  const narrow = await startApi(url, env)
  const holder = await pool.connect()
  try {
    const client = await narrow.signUp()
    await holder.query('begin')
    await holder.query('lock table wallets in access exclusive mode')
    const taken = [1, 2].map(() => client.call('POST', '/transactions/export'))
    await waitFor(async () => {
      const { rows } = await pool.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
      )
      return rows.length === 2
    })
    const startedAt = performance.now()
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.get('/transactions/exports')))
    expect(performance.now() - startedAt).toBeLessThan(3_500)
    expect(new Set(answers.map(({ json }) => json.code))).toEqual(new Set(['unavailable']))
    expect(Number(answers[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    await holder.query('rollback')
    expect((await Promise.all(taken)).map(({ status }) => status)).toEqual([202, 202])
    await expectFlowing(client)
  } finally {
    await holder.query('rollback')
    holder.release()
    await narrow.stop()
  }
})
