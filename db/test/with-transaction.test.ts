import { expect, test } from '@streamledger/testkit'
import { withTransaction } from '../src/with-transaction.ts'

test('what is done in it is kept, nothing of it after an error, and Postgres has nothing to warn of', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  // Postgres writes these to its own log, too.
  const warnings: (string | undefined)[] = []
  pool.on('connect', (client) => client.on('notice', ({ message }) => warnings.push(message)))
  const write = (name: string, fails: boolean) =>
    withTransaction(pool, async (client) => {
      await client.query(`create table ${name} ()`)
      if (fails) throw new Error('no')
    })
  await write('kept', false)
  await expect(write('undone', true)).rejects.toThrow('no')
  await expect(withTransaction(pool, (client) => client.query('select nonsense'))).rejects.toThrow('nonsense')
  const { rows } = await pool.query(`select to_regclass('kept') as kept, to_regclass('undone') as undone`)
  expect(rows).toEqual([{ kept: 'kept', undone: null }])
  expect(warnings).toEqual([])
})
