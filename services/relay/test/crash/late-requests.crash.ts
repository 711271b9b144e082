import { expect, type KafkaApi, waitFor } from '@streamledger/testkit'
import { makeFlow, test } from '../faulty-network.ts'

/** What each transaction is made of. */
const STEPS: KafkaApi[] = ['AddPartitionsToTxn', 'Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']

test('a request that reaches Kafka when its lane has long moved on changes nothing', async ({ network }) => {
  const { database, kafka, spawnRelay } = network
  const { proxy } = kafka
  const flow = await makeFlow(database, 1)
  await spawnRelay(flow.installation)
  for (const api of [...STEPS, 'InitProducerId'] as const) {
    const held = proxy.holdRequest(api)
    if (api === 'InitProducerId') proxy.disturb('EndTxn', { kind: 'cut_after' })
    await flow.insert(3)
    await waitFor(() => held.isCaught)
    await flow.drained()
    const late = proxy.requests.filter((request) => request.api === api && request.answeredAt === undefined).at(-1)
    // In the middle of the next batch it does the most harm.
    const next = proxy.holdRequest('TxnOffsetCommit')
    await flow.insert(3)
    await waitFor(() => next.isCaught)
    held.release()
    await waitFor(() => late?.answeredAt !== undefined)
    next.release()
    await flow.drained()
  }
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('an intent that reaches Postgres when its lane has long moved on confirms nothing and names nothing', async ({
  network,
}) => {
  const { database, kafka, postgres, spawnRelay } = network
  const flow = await makeFlow(database, 1)
  // The same holder all the time: nothing but the number of the batch tells the intent from a new one.
  await spawnRelay(flow.installation, { RELAY_LEASE_MS: '30000' })
  const readLease = async () =>
    (await database.pool.query('select lease_token, batch_seq, batch_id from relay_partitions')).rows[0]
  const { lease_token } = await waitFor(async () => {
    const lane = await readLease()
    return lane?.lease_token ? lane : false
  })
  const held = postgres.hold('relay-intend')
  await flow.insert(3)
  await waitFor(() => held.isCaught)
  await flow.drained()

  const pending = kafka.proxy.holdRequest('Produce')
  await flow.insert(3)
  await waitFor(() => pending.isCaught)
  const open = await readLease()
  expect(open).toMatchObject({ lease_token, batch_id: expect.any(String) })
  const connections = postgres.connections
  held.release()
  await waitFor(() => postgres.connections < connections)
  pending.release()
  await flow.drained()
  expect(await readLease()).toMatchObject({ lease_token })
  await flow.expectExactlyOnce(kafka)
}, 180_000)
