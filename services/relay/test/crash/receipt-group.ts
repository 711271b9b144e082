import { randomUUID } from 'node:crypto'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import type { Installation } from '../system.ts'

// Reads and changes receipts like another program.

export interface StoredReceipt {
  partition: number
  offset: string
  metadata: string | null
}

const groupOf = ({ installationId }: Installation): string => `streamledger.relay.${installationId}`

const connect = (brokers: string): Kafka => new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING })

export async function withAdmin<T>(brokers: string, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = connect(brokers).admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

export async function readReceipts(brokers: string, installation: Installation): Promise<Map<number, StoredReceipt>> {
  const topics = [installation.topic]
  const offsets = await withAdmin(brokers, (admin) => admin.fetchOffsets({ groupId: groupOf(installation), topics }))
  return new Map(offsets.flatMap(({ partitions }) => partitions).map((receipt) => [receipt.partition, receipt]))
}

export async function writeReceipt(brokers: string, installation: Installation, receipt: StoredReceipt): Promise<void> {
  const producer = connect(brokers).producer({ transactionalId: randomUUID(), maxInFlightRequests: 1 })
  await producer.connect()
  try {
    const transaction = await producer.transaction()
    const topics = [{ topic: installation.topic, partitions: [receipt] }]
    await transaction.sendOffsets({ consumerGroupId: groupOf(installation), topics })
    await transaction.commit()
  } finally {
    await producer.disconnect()
  }
}

export async function deleteReceipts(brokers: string, installation: Installation): Promise<void> {
  await withAdmin(brokers, (admin) => admin.deleteGroups([groupOf(installation)]))
}
