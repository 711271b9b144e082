// Reads a topic as a read_committed consumer, and records when it saw which event. It runs in its own process, so that
// the bench does not delay it.
import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { createKafka } from '@streamledger/kafka'
import { logLevel } from 'kafkajs'
import { createEventLog } from './event-log.ts'
import type { ConsumerJob, ConsumerMessage } from './watch-topic.ts'

const TELL_INTERVAL_MS = 50
const END_POLL_MS = 20
const END_TIMEOUT_MS = 60_000

const { brokers, topic, file } = JSON.parse(process.argv[2] ?? '') as ConsumerJob
const kafka = createKafka({ clientId: 'streamledger-bench', brokers: brokers.split(','), logLevel: logLevel.ERROR })
const groupId = `streamledger-bench-${randomUUID()}`
const consumer = kafka.consumer({ groupId, readUncommitted: false })
const log = createEventLog()
const positions = new Map<number, number>()
const tell = (message: ConsumerMessage) => void process.send?.(message)

consumer.on(consumer.events.GROUP_JOIN, () => tell({ joined: true }))
// This event also comes for batches with only a transaction marker.
consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
  positions.set(payload.partition, Number(payload.lastOffset) + 1)
})
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    const seenAtMs = performance.timeOrigin + performance.now()
    for (const { headers, offset } of batch.messages) {
      log.add({ transactionId: Number(headers?.ce_id), partition: batch.partition, offset: Number(offset), seenAtMs })
    }
  },
})
const telling = setInterval(() => tell({ seen: log.count() }), TELL_INTERVAL_MS)

/** Reads on to the current end of the topic: a duplicated event would come last. */
async function readToEnd(): Promise<void> {
  const admin = kafka.admin()
  await admin.connect()
  const ends = await admin.fetchTopicOffsets(topic)
  const isAtEnd = () =>
    ends.every(({ partition, low, high }) => Number(high) <= Math.max(Number(low), positions.get(partition) ?? 0))
  const deadline = performance.now() + END_TIMEOUT_MS
  while (!isAtEnd()) {
    if (performance.now() > deadline) throw new Error(`${topic} has not been read to its end in ${END_TIMEOUT_MS} ms`)
    await delay(END_POLL_MS)
  }
  await admin.disconnect()
}

process.once('message', async () => {
  await readToEnd()
  clearInterval(telling)
  writeFileSync(file, log.bytes())
  await consumer.disconnect()
  tell({ finished: true })
  process.disconnect?.()
})
process.once('disconnect', () => process.exit(0)) // the bench has ended, or is done with it
