import { randomUUID } from 'node:crypto'
import type { Db, Export } from '@streamledger/db'
import { expect, test } from '@streamledger/testkit'
import { failAttempt, finishAttempt, releaseAttempt, reportAttempt, startAttempt } from '../src/export-attempt.ts'
import { addHistory, instantOf, makeHistory } from './make-history.ts'
import { orderExport, readExport } from './order-export.ts'

const PUBLISHED = { file: 'a.xlsx', size: 1_000, sha256: 'ab'.repeat(32), rows: 5, ttlH: 24 }

async function start(db: Db, id: string) {
  const key = { id, attempt: randomUUID() }
  const attempt = await startAttempt(db, key)
  if (!attempt) throw new Error('there was nothing to do')
  return attempt
}

async function changed(db: Db, id: string, act: () => Promise<unknown>): Promise<Partial<Export>> {
  const before = await readExport(db, id)
  const error = await act().then(
    () => undefined,
    (failure) => failure,
  )
  const after = await readExport(db, id)
  const differing = Object.entries(after).filter(([name, value]) => {
    return JSON.stringify(value) !== JSON.stringify(before[name as keyof Export])
  })
  return { ...Object.fromEntries(differing), ...(error && { error: error.code }) }
}

test('once another attempt has taken an export over, the first can change nothing about it', async ({
  database: { db },
}) => {
  const id = await orderExport(db, await makeHistory(db, 5))
  const first = await start(db, id)
  const second = await start(db, id)
  expect([first.replaced, second.replaced]).toEqual([null, first.attempt])

  expect(await changed(db, id, () => reportAttempt(db, first, { rows_done: 3 }))).toEqual({ error: 'replaced' })
  expect(await changed(db, id, () => releaseAttempt(db, first))).toEqual({})
  expect(await changed(db, id, () => failAttempt(db, first, 'internal_error'))).toEqual({})
  expect(await changed(db, id, () => finishAttempt(db, first, PUBLISHED))).toEqual({ error: 'replaced' })

  expect(await changed(db, id, () => reportAttempt(db, second, { rows_done: 3 }))).toEqual({ rows_done: 3 })
  await finishAttempt(db, second, PUBLISHED)
  expect(await changed(db, id, () => finishAttempt(db, first, PUBLISHED))).toEqual({ error: 'replaced' })
})

test('a period that ends after the order ends with the order, whatever is posted until then', async ({
  database: { db },
}) => {
  const history = await makeHistory(db, 5)
  const { balance } = await db
    .selectFrom('wallets')
    .select('balance')
    .where('id', '=', history.walletId)
    .executeTakeFirstOrThrow()
  const id = await orderExport(db, history, { to_at: instantOf(9) })
  await addHistory(db, history, 10)

  expect(await start(db, id)).toMatchObject({ through: 5, rowsTotal: 5, closingBalance: balance })
})

test('an attempt that does not know whether it has published may publish again, and nothing changes', async ({
  database: { db },
}) => {
  const id = await orderExport(db, await makeHistory(db, 5))
  const attempt = await start(db, id)
  await finishAttempt(db, attempt, PUBLISHED)

  expect(await changed(db, id, () => finishAttempt(db, attempt, PUBLISHED))).toEqual({})
  expect(await readExport(db, id)).toMatchObject({ status: 'succeeded', file: 'a.xlsx', size: 1_000, rows_done: 5 })
})

test('a cancelled export is neither started, nor published, nor failed, nor put back', async ({ database: { db } }) => {
  const id = await orderExport(db, await makeHistory(db, 5))
  const attempt = await start(db, id)
  await db.updateTable('exports').set({ status: 'cancelled' }).where('id', '=', id).execute()

  expect(await startAttempt(db, { id, attempt: randomUUID() })).toBeUndefined()
  expect(await changed(db, id, () => reportAttempt(db, attempt, { rows_done: 3 }))).toEqual({ error: 'cancelled' })
  expect(await changed(db, id, () => finishAttempt(db, attempt, PUBLISHED))).toEqual({ error: 'cancelled' })
  expect(await changed(db, id, () => failAttempt(db, attempt, 'internal_error'))).toEqual({})
  expect(await changed(db, id, () => releaseAttempt(db, attempt))).toEqual({})
})

test('an export whose row is gone was cancelled', async ({ database: { db } }) => {
  const id = await orderExport(db, await makeHistory(db, 5))
  const attempt = await start(db, id)
  await db.deleteFrom('exports').where('id', '=', id).execute()

  await expect(finishAttempt(db, attempt, PUBLISHED)).rejects.toMatchObject({ code: 'cancelled' })
  expect(await startAttempt(db, { id, attempt: randomUUID() })).toBeUndefined()
})

test('a failed export has a code and is over', async ({ database: { db } }) => {
  const id = await orderExport(db, await makeHistory(db, 5))
  const attempt = await start(db, id)
  await failAttempt(db, attempt, 'storage_full')

  expect(await readExport(db, id)).toMatchObject({ status: 'failed', error: 'storage_full', file: null })
  expect(await startAttempt(db, { id, attempt: randomUUID() })).toBeUndefined()
})
