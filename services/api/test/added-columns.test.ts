import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { test as base, expect, makePerson, startApi } from './api.ts'
import { claimTopic } from './claim-topic.ts'
import type { Answer } from './client.ts'

const test = base.extend('own', async ({ createDatabase }, { onCleanup }) => {
  const { db, pool, url } = await createDatabase()
  await claimTopic(pool)
  // Two connections, so that later calls use the statements that earlier ones prepared.
  const api = await startApi(url, { DATABASE_POOL_MAX: '2', POSTING_BATCHES_MAX: '1' })
  onCleanup(() => api.stop())
  return { ...api, db }
})

test('a replica goes on answering while the next release’s migration adds a column to every table', async ({
  own: api,
}) => {
  const person = makePerson()
  const client = await api.signUp(person)
  const { json: posted } = await client.post('credit', 10, 'first')
  await client.post('debit', 1_000, 'refused')
  const order = (key: string) =>
    client.call('POST', '/transactions/export', { body: {}, headers: { 'idempotency-key': key } })
  const { json: ordered } = await order('first')

  const useAll = async (): Promise<Record<string, number>> => {
    const answers: Record<string, Answer> = {
      signUp: await api.anonymous.call('POST', '/auth/signup', { body: makePerson() }),
      logIn: await api.anonymous.call('POST', '/auth/login', {
        body: { email: person.email, password: person.password },
      }),
      post: await client.post('credit', 1, randomUUID()),
      replay: await client.post('credit', 10, 'first'),
      refused: await client.post('debit', 1_000, 'refused'),
      wallet: await client.get('/wallet'),
      list: await client.get('/transactions?limit=5'),
      filteredList: await client.get('/transactions?limit=5&entry=credit'),
      transaction: await client.get(`/transactions/${posted.transaction_id}`),
      outcome: await client.get('/transactions/by-trans-id/first'),
      refusal: await client.get('/transactions/by-trans-id/refused'),
      orderAgain: await order('first'),
      order: await order(randomUUID()),
      export: await client.get(`/transactions/exports/${ordered.export_id}`),
      exports: await client.get('/transactions/exports'),
    }
    return Object.fromEntries(Object.entries(answers).map(([what, { status }]) => [what, status]))
  }

  const before = await useAll()
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`.execute(api.db)
  for (const { name } of rows) await sql`alter table ${sql.ref(name)} add column added integer`.execute(api.db)
  expect(await useAll()).toEqual(before)
  expect(Object.values(before).filter((status) => status >= 500)).toEqual([])
})
