import { randomUUID } from 'node:crypto'
import type { Consumer, Kafka } from 'kafkajs'
import { withDeadline } from './deadline.ts'
import { BATCH_HEADER } from './kafka-client.ts'

export interface BatchScan {
  topic: string
  partition: number
  batchId: string
  offsets: { from: number; to: number }
  stepTimeoutMs: number
}

/** Joining a group waits 3 s by default; reading the little that an aborted attempt left takes milliseconds. */
const JOIN_TIMEOUT_MS = 10_000

/** Reads a partition read_committed between two offsets and looks for a batch's mark. */
export async function scanForBatch(client: Kafka, scan: BatchScan): Promise<boolean> {
  const { topic, offsets } = scan
  if (offsets.from >= offsets.to) return false
  // A group of its own, made for this and deleted after it: kafkajs has no way to read a partition without one.
  const groupId = `streamledger.relay.scan.${randomUUID()}`
  const consumer = client.consumer({ groupId, readUncommitted: false, allowAutoTopicCreation: false })
  try {
    await withDeadline('connecting a consumer', scan.stepTimeoutMs, consumer.connect())
    await consumer.subscribe({ topic })
    return await withDeadline('reading back a partition', JOIN_TIMEOUT_MS + scan.stepTimeoutMs, search(consumer, scan))
  } finally {
    await withDeadline('disconnecting a consumer', scan.stepTimeoutMs, consumer.disconnect()).catch(() => {})
    await forget(client, groupId, scan.stepTimeoutMs)
  }
}

function search(consumer: Consumer, { topic, partition, batchId, offsets }: BatchScan): Promise<boolean> {
  return new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    // Told of every fetch that held anything, also of one that held only aborted records: so the end is always seen.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      if (payload.partition === partition && Number(payload.lastOffset) >= offsets.to - 1) resolve(false)
    })
    consumer
      .run({
        autoCommit: false,
        eachBatch: async ({ batch }) => {
          if (batch.partition !== partition) return
          if (batch.messages.some(({ headers }) => headers?.[BATCH_HEADER]?.toString() === batchId)) resolve(true)
        },
      })
      .catch(reject)
    consumer.seek({ topic, partition, offset: String(offsets.from) })
  })
}

async function forget(client: Kafka, groupId: string, timeoutMs: number): Promise<void> {
  const admin = client.admin()
  try {
    await withDeadline('connecting to Kafka', timeoutMs, admin.connect())
    await withDeadline('deleting a group', timeoutMs, admin.deleteGroups([groupId]))
  } catch {
    // An empty group without offsets goes away by itself.
  } finally {
    await admin.disconnect().catch(() => {})
  }
}
