// Reads the events with kafkajs and checks that each wallet's `sequence` rises by one.
//   node consumer-main.ts           follows the topic until Ctrl-C
//   node consumer-main.ts --once    stops at the end that the topic has now
//   node consumer-main.ts --print   prints each event; may be combined with --once
// Exit code: 0 no fault, 1 events were missing, duplicated or out of order.
import { promisify } from 'node:util'
import { zstdDecompress } from 'node:zlib'
import kafkajs, { Kafka, logLevel } from 'kafkajs'
import { Progress } from './progress.ts'

const { KAFKA_BROKERS = '127.0.0.1:19092', KAFKA_TOPIC: topic = 'transactions' } = process.env
const { GROUP_ID: groupId = 'example-typescript', STATE_FILE = 'typescript-progress.json' } = process.env
const print = process.argv.includes('--print')

// kafkajs itself reads gzip only; the topic's owner may have the brokers compress with zstd.
Object.assign(kafkajs.CompressionCodecs, {
  [kafkajs.CompressionTypes.ZSTD]: () => ({ decompress: promisify(zstdDecompress) }),
})
const kafka = new Kafka({ clientId: groupId, brokers: KAFKA_BROKERS.split(','), logLevel: logLevel.ERROR })
const progress = new Progress(STATE_FILE)
const read = new Map<number, number>()

// read_committed. It is kafkajs's default; it is set because everything depends on it.
const consumer = kafka.consumer({ groupId, readUncommitted: false })
// Our own file says where to go on; the group's offsets may be older. After each rebalance kafkajs emits this before it
// fetches, and it drops the positions of partitions that are not ours.
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  for (const partition of payload.memberAssignment[topic] ?? []) {
    const offset = progress.next[partition] ?? 0
    read.set(partition, offset)
    consumer.seek({ topic, partition, offset: String(offset) })
  }
})
// This event also comes for transaction markers, which are offsets without a record.
consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
  read.set(payload.partition, Number(payload.lastOffset) + 1)
  void stopAtEnd()
})

async function findEnds(): Promise<Map<number, number>> {
  const admin = kafka.admin()
  await admin.connect()
  const offsets = await admin.fetchTopicOffsets(topic)
  await admin.disconnect()
  return new Map(
    offsets.filter(({ low, high }) => low !== high).map(({ partition, high }) => [partition, Number(high)]),
  )
}

let stopping = false
async function stop(): Promise<void> {
  if (stopping) return
  stopping = true
  await consumer.disconnect()
  console.log(`${progress.events} events, ${progress.faults} faults`)
  process.exitCode = progress.faults > 0 ? 1 : 0
}

const ends = process.argv.includes('--once') ? await findEnds() : undefined
async function stopAtEnd(): Promise<void> {
  if (ends && [...ends].every(([partition, end]) => (read.get(partition) ?? 0) >= end)) await stop()
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)
await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    const { partition, messages } = batch
    for (const { offset, value } of messages) {
      const fault = progress.take(partition, Number(offset), JSON.parse(String(value)))
      if (print) console.log(`partition ${partition}, offset ${offset}: ${value}`)
      if (fault) console.log(fault)
    }
    progress.next[partition] = Number(batch.lastOffset()) + 1
    progress.save() // first result and position, then the offset: after a crash in between, events are delivered again
    await consumer.commitOffsets([{ topic, partition, offset: String(progress.next[partition]) }])
  },
})
await stopAtEnd()
