import { expect, type TestKafka, type TopicRecord, waitFor } from '@streamledger/testkit'
import { isFailure, type Person } from './person.ts'
import type { System } from './system.ts'

const PATIENCE = { timeoutMs: 60_000 }

/** Holds what clients were answered against the ledger, the topic and the files, once all has come to rest. */
export async function expectNothingLost(
  people: readonly Person[],
  { database: { pool }, env }: System,
  kafka: TestKafka,
): Promise<void> {
  const seen = people.map((person) => person.seen)
  const replies = seen.flatMap((of) => of.replies)
  const told = replies.filter(({ closes }) => closes)
  console.log(`${replies.length} requests, ${told.length} of them answered with "connection: close"`)
  expect(replies.filter(isFailure)).toEqual([])

  const acknowledged = seen.flatMap((of) => of.acknowledged)
  const { rows } = await pool.query('select trans_id from transactions')
  expect(rows.map(({ trans_id }) => trans_id).sort()).toEqual(acknowledged.sort())

  await waitFor(async () => {
    const outbox = await pool.query('select count(*)::int as count from outbox')
    expect(outbox.rows).toEqual([{ count: 0 }])
  }, PATIENCE)
  const records = await kafka.readAll(env.KAFKA_TOPIC as string)
  expect(records.map(({ value }) => JSON.parse(value ?? '').trans_id).sort()).toEqual(acknowledged)
  expect(findOutOfOrder(records)).toEqual([])

  for (const person of people) for (const id of person.seen.ordered) await person.awaitExport(id)
  expect(seen.flatMap((of) => of.replies).filter(isFailure)).toEqual([])
  for (const person of people) person.leave()
}

/** Events whose sequence is not the one after their wallet's last. */
function findOutOfOrder(records: readonly TopicRecord[]): string[] {
  const last = new Map<number, number>()
  return records.flatMap(({ value }) => {
    const { wallet_id, sequence, trans_id } = JSON.parse(value ?? '')
    const expected = (last.get(wallet_id) ?? 0) + 1
    last.set(wallet_id, sequence)
    return sequence === expected ? [] : [`${trans_id}: ${sequence}, not ${expected}`]
  })
}
