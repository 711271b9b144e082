import { messageBytesMin, settingsOf, type TopicState, type WantedTopic } from '@streamledger/kafka'
import type { BrokerSettings } from './kafka-admin.ts'

export interface Difference {
  setting: string
  found: string
  wanted: string
}

/** Finds the settings of an existing topic that are lower than needed. A higher value is no difference. */
export function findDifferences(state: TopicState, wanted: WantedTopic): Difference[] {
  const { partitions, replicationFactor, config } = state
  const differences: Difference[] = []
  const add = (setting: string, found: string | number, needed: string | number): void => {
    differences.push({ setting, found: String(found), wanted: String(needed) })
  }
  if (partitions !== wanted.partitions) add('partitions', partitions, wanted.partitions)
  if (replicationFactor < wanted.replicationFactor) {
    add('replication factor', replicationFactor, wanted.replicationFactor)
  }
  for (const [name, value] of settingsOf(wanted)) {
    const found = config.get(name) ?? ''
    if (!satisfies(name, found, value)) add(name, found || 'not set', value)
  }
  return differences

  function satisfies(name: string, found: string, value: string): boolean {
    if (name === 'max.message.bytes') return Number(found) >= messageBytesMin(wanted.batchBytesMax)
    if (name === 'min.insync.replicas') return Number(found) >= Number(value)
    return found === value
  }
}

const INTERNAL = [
  { setting: 'offsets.topic.replication.factor', of: '__consumer_offsets' },
  { setting: 'transaction.state.log.replication.factor', of: '__transaction_state' },
]

/**
 * Checks Kafka's own topics, whose settings come from the brokers' configuration: one holds the receipts, the other the
 * outcome of transactions.
 */
export function findInternalFaults(settings: BrokerSettings, replicationFactor: number): string[] {
  const copies = INTERNAL.flatMap(({ setting, of }) => {
    const found = Number(settings.get(setting))
    return found < replicationFactor
      ? [`${of} has ${found} copies of each partition (${setting}); it must have ${replicationFactor} too`]
      : []
  })
  const wanted = Math.max(1, replicationFactor - 1)
  const isr = Number(settings.get('transaction.state.log.min.isr'))
  if (isr < wanted) copies.push(`__transaction_state acknowledges with ${isr} copies (transaction.state.log.min.isr); it must have ${wanted}`) // biome-ignore format: one line
  if (settings.get('unclean.leader.election.enable') === 'true') {
    copies.push('unclean leader election is on by default: Kafka may lose acknowledged records') // biome-ignore format: one line
  }
  return copies
}
