import { expect, test, waitFor } from '@streamledger/testkit'
import { FakeKafka } from './fake-kafka.ts'
import { insertRow, makeOpenBatch, readHalt, readOutbox, run } from './lane.ts'

/** Counts the producers that were opened. */
class CountingKafka extends FakeKafka {
  opened = 0

  override openPublisher() {
    this.opened += 1
    return super.openPublisher()
  }
}

test('a producer that has sent enough is replaced, with its last batch confirmed', async ({ database }) => {
  const open = await makeOpenBatch(database)
  const kafka = new CountingKafka(open.before)
  const lane = run(database, open, kafka, { producerRowsMax: 3 })
  await waitFor(async () => expect(await readOutbox(database, open)).toEqual([]))
  expect(kafka.opened).toBe(1)

  const payloads = Array.from({ length: 20 }, (_, index) => `row ${index}`)
  for (const payload of payloads) {
    await insertRow(database.pool, open.partition, payload)
    lane.bell.ring()
    await waitFor(() => expect(kafka.readable).toContain(payload))
  }
  await waitFor(async () => expect(await readOutbox(database, open)).toEqual([]))
  lane.stop.abort()
  await lane.ended
  // Rows of one batch are not divided, so a producer sends three or a few more; it is recovery, and not doubt.
  expect(kafka.opened).toBeGreaterThanOrEqual(4)
  expect(kafka.readable).toEqual(['in batch 7', 'after it', ...payloads])
  expect(kafka.writers.filter((writer) => writer === 'fence')).toHaveLength(1)
  expect(await readHalt(database, open)).toBeNull()
})
