import { migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { test as base, type OwnPostgres } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { onTestFinished } from 'vitest'
import { type Api, expect, startApi, waitFor } from './api.ts'
import { claimTopic } from './claim-topic.ts'
import type { Client } from './client.ts'

/** Short, so that what waits for the standby is soon answered. */
const IMPATIENT = { STATEMENT_TIMEOUT_MS: '1000', POSTING_TIMEOUT_MS: '1500' }

async function open(url: string): Promise<Api> {
  const api = await startApi(url, IMPATIENT)
  onTestFinished(() => api.stop())
  return api
}

/** Each commit waits for a standby. */
async function startPair(postgres: OwnPostgres) {
  const standby = await postgres.addStandby()
  await migrate(postgres.url)
  const { pool, close } = createDatabase(postgres.url, {
    applicationName: 'test',
    connectionsMax: 1,
    statementTimeoutMs: 10_000,
  })
  await claimTopic(pool)
  await close()
  return { standby, api: await open(postgres.url) }
}

const test = base.extend('pair', async ({ startPostgres }) => {
  const postgres = await startPostgres()
  return { postgres, ...(await startPair(postgres)) }
})

/** The answers by which the API says that the credit is posted. */
async function ask(user: Client, trans_id: string) {
  const { status: posted } = await user.post('credit', 500, trans_id)
  const { status: found } = await user.get(`/transactions/by-trans-id/${trans_id}`)
  return { posted, found }
}

test('a credit that no standby has is answered by nothing, until a standby has it', async ({ pair }) => {
  const { postgres, standby, api } = pair
  const user = await api.signUp()
  expect(await ask(user, 'first')).toEqual({ posted: 201, found: 200 })

  await standby.stop()
  expect((await user.post('credit', 500, 'second')).status).toBe(503)
  await postgres.kill()
  await postgres.start()
  expect(await ask(user, 'second')).toEqual({ posted: 503, found: 503 })
  expect((await user.get('/wallet')).status).toBe(503)
  expect((await user.get('/transactions')).status).toBe(503)

  await standby.start()
  await waitFor(async () => expect(await ask(user, 'second')).toEqual({ posted: 201, found: 200 }), {
    timeoutMs: 30_000,
  })
  expect(await user.balance()).toBe(1_000)
})

test('a credit whose wait for the standby an operator has cancelled is answered by nothing', async ({ pair }) => {
  const { postgres, standby, api } = pair
  const user = await api.signUp()
  await user.post('credit', 500, 'first')
  await standby.stop()
  const answered = user.post('credit', 500, 'second')
  await endWait(postgres.url, 'pg_cancel_backend')
  expect((await answered).status).toBe(503)
  expect(await ask(user, 'second')).toEqual({ posted: 503, found: 503 })

  await postgres.kill()
  await standby.start()
  await standby.promote()
  const other = await open(standby.url)
  const there = await other.anonymous.call('GET', '/transactions/by-trans-id/second', { token: tokenOf(user) })
  expect(there.status).toBe(404)
})

const tokenOf = ({ account }: Client): string => account.access_token.token

/** Ends the wait of the commits that wait for a standby. */
async function endWait(url: string, how: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<void> {
  const { pool, close } = createDatabase(url, { applicationName: 'test', connectionsMax: 1, statementTimeoutMs: 5_000 })
  const waiting = `from pg_stat_activity where wait_event = 'SyncRep' and query like '%was_balance%'`
  try {
    await waitFor(async () => expect((await pool.query(`select ${waiting}`)).rowCount).toBeGreaterThan(0))
    await pool.query(`select ${how}(pid) ${waiting}`)
  } finally {
    await close()
  }
}

test('a standby that is not promoted answers 503, never 500', async ({ pair }) => {
  const { standby, api } = pair
  const user = await api.signUp()
  await user.post('credit', 500, 'first')
  const there = await open(standby.url)
  const call = (method: string, path: string, body?: unknown) =>
    there.anonymous.call(method, path, { token: tokenOf(user), ...(body ? { body } : {}) })
  const { email } = user.account.user
  const answers = await Promise.all([
    call('POST', '/transactions', { entry: 'credit', amount: 5, trans_id: 'new' }),
    call('POST', '/transactions/export', {}),
    call('POST', '/auth/login', { email, password: 'a long pass phrase' }),
    call('POST', '/auth/refresh', { refresh_token: user.account.refresh_token.token }),
  ])
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503, 503])
})

const TIMES = 10

async function withPool<T>({ url }: OwnPostgres, use: (pool: Pool) => Promise<T>): Promise<T> {
  const { pool, close } = createDatabase(url, {
    applicationName: 'test',
    connectionsMax: 1,
    statementTimeoutMs: 10_000,
  })
  try {
    return await use(pool)
  } finally {
    await close()
  }
}

/** How many commits each kind of request adds to its own, for the sake of a standby. */
async function countBarriers(postgres: OwnPostgres) {
  const api = await open(postgres.url)
  const [user, other] = [await api.signUp(), await open(postgres.url)]
  const posting = (trans_id: string) => ({ entry: 'credit', amount: 500, trans_id })
  const askOther = (trans_id: string) =>
    other.anonymous.call('POST', '/transactions', { token: tokenOf(user), body: posting(trans_id) })
  return withPool(postgres, async (pool) => {
    const count = async (ask: (trans_id: string) => Promise<unknown>, times = TIMES): Promise<number | undefined> => {
      await pool.query('select pg_stat_statements_reset()')
      for (let at = 0; at < times; at++) await ask(String(at))
      const { rows } = await pool.query<{ calls: number }>(
        `select coalesce(sum(calls), 0)::int as calls from pg_stat_statements where query like '%pg_logical_emit_message%'`,
      )
      return rows[0]?.calls
    }
    return {
      postings: await count((id) => user.post('credit', 500, id)),
      replays: await count((id) => user.post('credit', 500, id)),
      replays_of_an_unknown_wallet: await count(askOther, 1),
      look_ups: await count((id) => user.get(`/transactions/by-trans-id/${id}`)),
      reads: await count(() => user.get('/wallet')),
    }
  })
}

test('a look-up and a replay that is read alone cost one commit more where a standby is waited for; nothing does elsewhere', {
  timeout: 120_000,
}, async ({ startPostgres }) => {
  const postgres = await startPostgres()
  await withPool(postgres, (pool) => pool.query(`alter system set shared_preload_libraries = 'pg_stat_statements'`))
  await postgres.kill()
  await postgres.start()
  await withPool(postgres, (pool) => pool.query('create extension pg_stat_statements'))
  await migrate(postgres.url)
  await withPool(postgres, claimTopic)
  const nothing = { postings: 0, replays: 0, replays_of_an_unknown_wallet: 0, look_ups: 0, reads: 0 }
  expect(await countBarriers(postgres)).toEqual(nothing)
  await postgres.addStandby()
  expect(await countBarriers(postgres)).toEqual({ ...nothing, replays_of_an_unknown_wallet: 1, look_ups: TIMES })
})
