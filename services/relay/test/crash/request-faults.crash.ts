import { type KafkaApi, type KafkaFault, type KafkaProxy, waitFor } from '@streamledger/testkit'
import { type Flow, makeFlow, test } from '../faulty-network.ts'

/** Every kind of request that a lane or a recovery sends. */
const OF_A_BATCH: KafkaApi[] = [
  'AddPartitionsToTxn',
  'Produce',
  'AddOffsetsToTxn',
  'TxnOffsetCommit',
  'EndTxn',
  'OffsetFetch',
  'ListOffsets',
]
const OF_A_RECOVERY: KafkaApi[] = ['FindCoordinator', 'InitProducerId', 'Fetch']
const FAULTS: KafkaFault[] = [
  { kind: 'cut_before' },
  { kind: 'cut_after' },
  { kind: 'lose_request' },
  { kind: 'lose_answer' },
  { kind: 'answer_twice' },
]

async function meet(proxy: KafkaProxy, flow: Flow, api: KafkaApi, fault: KafkaFault): Promise<void> {
  const disturbance = proxy.disturb(api, fault)
  await waitFor(
    async () => {
      // A recovery is what an unknown outcome of a commit leads to; whether it reads the topic depends on which commit.
      if (OF_A_RECOVERY.includes(api)) proxy.disturb('EndTxn', { kind: 'cut_after' })
      await flow.insert(3)
      await flow.drained()
      return disturbance.met === 1
    },
    { timeoutMs: 60_000 },
  )
}

for (const [what, apis] of [
  ['a batch', OF_A_BATCH],
  ['a recovery', OF_A_RECOVERY],
] as const) {
  test(`each request of ${what}, or its answer, is lost with and without a word, or comes twice`, async ({
    network,
  }) => {
    const { database, kafka, spawnRelay } = network
    const flow = await makeFlow(database, 1)
    await spawnRelay(flow.installation)
    for (const api of apis) for (const fault of FAULTS) await meet(kafka.proxy, flow, api, fault)
    await flow.expectExactlyOnce(kafka)
  }, 240_000)
}
