import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import { withLaneKafka } from '../src/resolve/kafka-lanes.ts'

const LEADER_NOT_AVAILABLE = 5

test('a partition is fenced while a partition of another topic has no leader', async ({ startProxiedKafka }) => {
  const { proxy, proxiedBrokers, createTopic } = await startProxiedKafka()
  const topic = await createTopic(1)
  const other = await createTopic(1)
  const stream = { kafka: { brokers: [proxiedBrokers] }, topic, installationId: randomUUID() }
  let changed = 0
  const rewrite = (answer: Buffer): Buffer => {
    const at = answer.indexOf(other)
    if (at < 0) return answer
    changed += 1
    return withoutLeader(answer, at + other.length)
  }
  proxy.disturb('Metadata', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
  await withLaneKafka(stream, (lanes) => lanes.fence(0))
  expect(changed, 'the other topic was asked for').toBeGreaterThan(0)
}, 120_000)

/** After a topic's name: whether it is internal, and its partitions, each with an error, an index and a leader. */
function withoutLeader(answer: Buffer, afterName: number): Buffer {
  const changed = Buffer.from(answer)
  const partition = afterName + 1 + 4
  changed.writeInt16BE(LEADER_NOT_AVAILABLE, partition)
  changed.writeInt32BE(-1, partition + 2 + 4)
  return changed
}
