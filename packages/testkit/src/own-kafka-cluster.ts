import { join } from 'node:path'
import { type KafkaCluster, startKafkaCluster } from '@streamledger/engines'
import { Kafka, logLevel } from 'kafkajs'
import { abandon, BROKER_FLAGS, makeRunDir } from './test-engines.ts'
import { createTestKafka, type TestKafka } from './test-kafka.ts'

/** Three brokers for one test, which may kill them. */
export interface OwnKafkaCluster extends TestKafka, Omit<KafkaCluster, 'brokers'> {
  /** The id of the broker that leads a partition. */
  leaderOf(topic: string, partition: number): Promise<number>
  /** The id of the broker that coordinates a transactional id or a group. */
  coordinatorOf(kind: 'transaction' | 'group', id: string): Promise<number>
}

export type StartOwnKafkaCluster = (settings?: Record<string, string>) => Promise<OwnKafkaCluster>

/** The number of partitions of these topics, as configured in this package. */
const COORDINATORS = 4
const COORDINATOR_TOPICS = { transaction: '__transaction_state', group: '__consumer_offsets' }

export async function startOwnKafkaCluster(
  settings: Record<string, string> = {},
): Promise<OwnKafkaCluster & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  // As for the engines of the run: a second Ctrl-C leaves no process behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  const cluster = await startKafkaCluster({ dataDir: join(runDir, 'kafka'), jvmFlags: BROKER_FLAGS, settings })
  const kafka = new Kafka({ brokers: cluster.brokers.split(','), logLevel: logLevel.NOTHING })
  const leaderOf = async (topic: string, partition: number): Promise<number> => {
    const admin = kafka.admin()
    await admin.connect()
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const found = topics[0]?.partitions.find(({ partitionId }) => partitionId === partition)
      if (!found || found.leader < 0) throw new Error(`${topic} has no leader for partition ${partition}`)
      return found.leader
    } finally {
      await admin.disconnect()
    }
  }
  return {
    ...{ ...cluster, ...createTestKafka(cluster.brokers), leaderOf },
    coordinatorOf: (kind, id) => leaderOf(COORDINATOR_TOPICS[kind], (hashOf(id) & 0x7fffffff) % COORDINATORS),
    remove: async () => {
      await Promise.all(cluster.ids.map((id) => cluster.kill(id)))
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}

/** Java's hash code of a string. */
function hashOf(text: string): number {
  return [...text].reduce((hash, character) => (Math.imul(hash, 31) + character.charCodeAt(0)) | 0, 0)
}
