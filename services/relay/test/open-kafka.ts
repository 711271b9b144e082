import { randomUUID } from 'node:crypto'
import { createLogger } from '@streamledger/runtime'
import { waitFor } from '@streamledger/testkit'
import { connectKafka } from '../src/kafka-publisher.ts'
import type { Kafka } from '../src/publisher.ts'

/** Connects as a relay does, once the receipts can be read: a young broker has to be asked for its first group again. */
export async function openKafka(brokers: string, topic: string): Promise<Kafka> {
  const kafka = await connectKafka(
    {
      access: { brokers: [brokers] },
      topic,
      installationId: randomUUID(),
      stepTimeoutMs: 5_000,
      transactionTimeoutMs: 10_000,
    },
    createLogger({ service: 'test', level: 'silent' }),
  )
  await waitFor(async () => (await kafka.look([0])).size > 0, { timeoutMs: 30_000 })
  return kafka
}
