import { expect, type KafkaProxy, type KafkaRequest, waitFor } from '@streamledger/testkit'
import { makeFlow, test } from './faulty-network.ts'

// Shows errors of kafkajs 2.2.4, as far as they can be provoked, and that the relay works around them.

const count = ({ requests }: KafkaProxy, api: string): number => requests.filter((each) => each.api === api).length

/** Long enough for any machine: these tests are about what happens, not about how fast. */
const PATIENT = { RELAY_STEP_TIMEOUT_MS: '5000', RELAY_TRANSACTION_TIMEOUT_MS: '10000', RELAY_LEASE_MS: '10000' }

test('a transaction that is not let in yet is tried again soon, not after a third of a second', async ({ network }) => {
  const { database, kafka, spawnRelay } = network
  const flow = await makeFlow(database, 1)
  await spawnRelay(flow.installation, PATIENT)
  await flow.insert()
  await flow.drained()
  const fenced = count(kafka.proxy, 'InitProducerId')
  // With its own times kafkajs gives up at the sixth, after nine seconds.
  const refusals = kafka.proxy.disturb('AddPartitionsToTxn', { kind: 'refuse', error: 'CONCURRENT_TRANSACTIONS' }, 12)
  await flow.insert()
  await flow.drained()
  expect(refusals.met).toBe(12)
  expect(count(kafka.proxy, 'InitProducerId'), 'the outcome was never in doubt').toBe(fenced)
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('older producers are fenced before the receipt is read, and records are sent before it is written', async ({
  network,
}) => {
  const { database, kafka, spawnRelay } = network
  const flow = await makeFlow(database, 1)
  await spawnRelay(flow.installation, PATIENT)
  await flow.insert(2)
  await flow.drained()
  const { requests } = kafka.proxy
  const first = requests.find(({ api }) => api === 'InitProducerId')
  const look = requests.find(({ api }) => api === 'OffsetFetch')
  expect(Number(look?.sentAt)).toBeGreaterThan(Number(first?.answeredAt))

  const before = requests.length
  kafka.proxy.disturb('EndTxn', { kind: 'cut_after' })
  await flow.insert()
  await flow.drained()
  const after = requests.slice(before)
  const cut = after.findIndex(({ api }) => api === 'EndTxn')
  const again = after.slice(cut).find(({ api }) => api === 'InitProducerId')
  const lookAgain = after.slice(cut).find(({ api }) => api === 'OffsetFetch')
  expect(Number(lookAgain?.sentAt)).toBeGreaterThan(Number(again?.answeredAt))

  for (const transaction of transactionsOf(requests)) {
    const apis = transaction.map(({ api }) => api)
    // A receipt by itself has no records. Of the rest: one send, to one partition, in one record batch.
    if (!apis.includes('Produce')) continue
    expect(apis).toEqual(['Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'])
    expect(readProduce(transaction[0] as KafkaRequest)).toEqual({ topics: 1, partitions: 1, batches: 1 })
  }
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('a commit of unknown outcome that took effect is never published again, and one that did not, is', async ({
  network,
}) => {
  const { database, kafka, spawnRelay } = network
  const flow = await makeFlow(database, 1)
  await spawnRelay(flow.installation)
  await flow.insert()
  await flow.drained()
  for (const [kind, error, times] of [
    ['misreport', 'COORDINATOR_NOT_AVAILABLE', 1],
    ['misreport', 'CONCURRENT_TRANSACTIONS', 1],
    ['misreport', 'INVALID_PRODUCER_EPOCH', 1],
    ['refuse', 'COORDINATOR_NOT_AVAILABLE', 2],
    ['refuse', 'COORDINATOR_LOAD_IN_PROGRESS', 2],
  ] as const) {
    const before = kafka.proxy.requests.length
    kafka.proxy.disturb('EndTxn', { kind, error })
    await flow.insert()
    await flow.drained()
    const ids = kafka.proxy.requests.slice(before).flatMap(batchIdOf)
    const sent = ids.filter((id) => id === ids[0]).length
    expect(sent, `${kind} ${error}`).toBe(times)
  }
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('requests that kafkajs would try for ever are given up, and nothing of a producer goes out after that', async ({
  network,
}) => {
  const { database, kafka, spawnRelay } = network
  const { proxy } = kafka
  const flow = await makeFlow(database, 1)
  const relay = await spawnRelay(flow.installation)
  for (const [api, error, step] of [
    ['TxnOffsetCommit', 'UNKNOWN_TOPIC_OR_PARTITION', 'sending the receipt'],
    ['InitProducerId', 'CONCURRENT_TRANSACTIONS', 'fencing older producers'],
    ['AddPartitionsToTxn', 'CONCURRENT_TRANSACTIONS', 'sending records'],
  ] as const) {
    const refusals = proxy.disturb(api, { kind: 'refuse', error }, Number.POSITIVE_INFINITY)
    if (api === 'InitProducerId') proxy.disturb('EndTxn', { kind: 'cut_after' })
    await flow.insert()
    await waitFor(() => relay.logs.includes(`${step} took longer than`), { timeoutMs: 30_000 })
    refusals.stop()
    await flow.drained()
  }
  const epochs = proxy.requests.filter(({ api }) => api === 'AddPartitionsToTxn').map(readEpoch)
  expect(epochs.length).toBeGreaterThan(2)
  expect(epochs, 'an older one never after a newer one').toEqual(epochs.toSorted((one, other) => one - other))

  proxy.disturb('AddOffsetsToTxn', { kind: 'refuse', error: 'CONCURRENT_TRANSACTIONS' }, 2)
  await flow.insert()
  await flow.drained()
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('receipts that are old, or gone, for a moment halt nothing and double nothing', async ({ network }) => {
  const { database, kafka, spawnRelay } = network
  const { proxy } = kafka
  const flow = await makeFlow(database, 1)
  const relay = await spawnRelay(flow.installation)
  await flow.insert()
  await flow.drained()
  let old: Buffer | undefined
  const noting = proxy.disturb('OffsetFetch', { kind: 'rewrite', rewrite: (answer) => (old ??= answer) }, 1)
  await flow.insert()
  await waitFor(() => noting.met === 1)
  await flow.insert(10)
  await flow.drained()
  for (const [rewrite, said] of [
    [() => old as Buffer, 'ReceiptBehindError'],
    [withoutReceipt, 'ReceiptBehindError'],
    // A missing answer for a partition does not mean that it has no receipt.
    [withoutPartitions, 'it does not answer'],
  ] as const) {
    const logged = relay.logs.length
    const forgetful = proxy.disturb('OffsetFetch', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
    proxy.disturb('EndTxn', { kind: 'cut_after' })
    await flow.insert()
    await waitFor(() => relay.logs.slice(logged).includes(said), { timeoutMs: 30_000 })
    forgetful.stop()
    await flow.drained()
  }
  await flow.expectExactlyOnce(kafka)
}, 180_000)

/** What was asked between two ends of transactions, from the first record or receipt on. */
function transactionsOf(requests: readonly KafkaRequest[]): KafkaRequest[][] {
  const apis = ['Produce', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn']
  const transactions: KafkaRequest[][] = [[]]
  for (const request of requests.filter(({ api }) => api && apis.includes(api))) {
    transactions.at(-1)?.push(request)
    if (request.api === 'EndTxn') transactions.push([])
  }
  return transactions
}

const STRING_LENGTH_BYTES = 2

/** Transactional id, acks and timeout, then topics, partitions, and the bytes of the one partition's records. */
function readProduce({ body }: KafkaRequest) {
  let at = STRING_LENGTH_BYTES + body.readInt16BE(0) + 6
  const topics = body.readInt32BE(at)
  at += 4
  at += STRING_LENGTH_BYTES + body.readInt16BE(at)
  const partitions = body.readInt32BE(at)
  let left = body.readInt32BE(at + 8)
  at += 12
  let batches = 0
  // A record batch: its first offset, and how long the rest of it is.
  for (; left > 0; batches += 1) {
    const bytes = 12 + body.readInt32BE(at + 8)
    at += bytes
    left -= bytes
  }
  return { topics, partitions, batches }
}

/** Transactional id, producer id, epoch. */
const readEpoch = ({ body }: KafkaRequest): number => body.readInt16BE(STRING_LENGTH_BYTES + body.readInt16BE(0) + 8)

/** Of the batch whose records are sent, as its first record has it. */
function batchIdOf({ api, body }: KafkaRequest): string[] {
  const id = api === 'Produce' ? /streamledger_batch.([0-9a-f-]{36})/s.exec(body.toString('latin1'))?.[1] : undefined
  return id ? [id] : []
}

/**
 * One topic with one partition: throttle time, topics, name, partitions, number, and then the offset and the metadata.
 */
function withoutReceipt(answer: Buffer): Buffer {
  const offsetAt = 4 + 4 + STRING_LENGTH_BYTES + answer.readInt16BE(8) + 4 + 4
  const metadataAt = offsetAt + 8
  const rest = answer.subarray(metadataAt + STRING_LENGTH_BYTES + Math.max(0, answer.readInt16BE(metadataAt)))
  return Buffer.concat([answer.subarray(0, offsetAt), Buffer.alloc(8, 0xff), Buffer.alloc(2), rest])
}

/** Throttle time, no topics, and no error. */
const withoutPartitions = (): Buffer => Buffer.alloc(4 + 4 + 2)
