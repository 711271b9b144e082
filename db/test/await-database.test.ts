import { expect, test } from '@streamledger/testkit'
import pg from 'pg'
import { awaitDatabase } from '../src/await-database.ts'

async function ask(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ one: number }>('select 1 as one')
    return rows[0]?.one as number
  } finally {
    await client.end()
  }
}

test('a step of a start waits for a database that has gone away since the step before', async ({ startPostgres }) => {
  const postgres = await startPostgres()
  await postgres.kill()
  const waits: unknown[] = []
  const step = () => ask(postgres.url)
  const asking = awaitDatabase(postgres.url, step, { startTimeoutMs: 30_000, onWait: (error) => waits.push(error) })
  await expect.poll(() => waits.length).toBeGreaterThan(0)
  await postgres.start()
  expect(await asking).toBe(1)
})

test('it does not wait for ever, and says for which database it did', async ({ startPostgres }) => {
  const postgres = await startPostgres()
  await postgres.kill()
  const { host, password } = new URL(postgres.url)
  const asking = awaitDatabase(postgres.url, () => ask(postgres.url), { startTimeoutMs: 600 })
  await expect(asking).rejects.toThrow(`Postgres at ${host} could not be reached for 0.6 s`)
  await expect(asking).rejects.not.toThrow(password)
})

test('what no waiting would mend is told at once', async ({ database }) => {
  let steps = 0
  const step = async () => {
    steps += 1
    await database.pool.query('select from nowhere')
  }
  await expect(awaitDatabase(database.url, step, { startTimeoutMs: 30_000 })).rejects.toThrow(/nowhere/)
  expect(steps).toBe(1)
})
