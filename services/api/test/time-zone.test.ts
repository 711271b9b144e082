import type { ServiceProcess } from '@streamledger/testkit'
import { expect, signUp, test } from './api.ts'
import { spawnApis } from './api-processes.ts'

// Before 1908, local time in Lagos was 13 min 35 s ahead of UTC.
const INSTANT = '1890-01-01T00:00:00Z'

test('an instant is stored, found and repeated as it was sent, in whatever time zone the process and Postgres run', async ({
  createDatabase,
  spawnService,
}) => {
  const { url, pool } = await createDatabase()
  const { rows } = await pool.query('select current_database() as name')
  await pool.query(`alter database "${rows[0].name}" set timezone = 'Africa/Lagos'`)
  const [api] = (await spawnApis(spawnService, url, { env: { TZ: 'Africa/Lagos' } })) as [ServiceProcess]
  const client = await signUp(api.url)
  const order = () =>
    client.call('POST', '/transactions/export', { body: { from: INSTANT }, headers: { 'idempotency-key': 'one' } })

  const first = await order()
  expect(first).toMatchObject({ status: 202, json: { from: '1890-01-01T00:00:00.000Z' } })
  const stored = await pool.query('select extract(epoch from from_at)::bigint::text as epoch_s from exports')
  expect(stored.rows).toEqual([{ epoch_s: String(Date.parse(INSTANT) / 1_000) }])
  expect(await order()).toMatchObject({ status: 202, json: first.json })

  // An instant in a filter is a parameter as well.
  await client.post('credit', 1)
  await pool.query('alter table transactions disable trigger user')
  await pool.query(`update transactions set created_at = '${INSTANT}'`)
  const list = (from: string) => client.get(`/transactions?from=${from}`)
  expect((await list(INSTANT)).json.data).toHaveLength(1)
  expect((await list('1890-01-01T00:00:00.001Z')).json.data).toHaveLength(0)
})
