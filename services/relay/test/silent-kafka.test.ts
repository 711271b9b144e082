import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createLogger } from '@streamledger/runtime'
import { expect, test, waitFor } from '@streamledger/testkit'
import { createLog } from '../src/kafka-log.ts'
import { prepareTopic } from '../src/kafka-topic.ts'

const logger = createLogger({ service: 'test', level: 'silent' })
/** Less than the three seconds that kafkajs has for one try to connect. */
const stepTimeoutMs = 2_000

test('what is not answered is given up in time, its connection is closed, and the next question goes another way', async ({
  startProxiedKafka,
}) => {
  const { proxy, proxiedBrokers, createTopic } = await startProxiedKafka()
  const log = createLog({ access: { brokers: [proxiedBrokers] }, topic: await createTopic(1), stepTimeoutMs }, logger)
  const ends = new Map([[0, 0]])
  await waitFor(async () => expect(await log.readEnds('everyone', [0])).toEqual(ends), { timeoutMs: 30_000 })
  const { connections } = proxy

  const offsets = proxy.disturb('ListOffsets', { kind: 'lose_answer' }, Number.POSITIVE_INFINITY)
  await expect(log.readEnds('everyone', [0])).rejects.toThrow()
  offsets.stop()
  expect(await log.readEnds('everyone', [0])).toEqual(ends)
  await waitFor(() => expect(proxy.connections).toBe(connections))

  await log.close()
  await waitFor(() => expect(proxy.connections).toBe(0))
}, 120_000)

test('what kafkajs tries again and again is given up when the time of the whole is over', async ({
  startProxiedKafka,
}) => {
  const { proxy, proxiedBrokers, createTopic } = await startProxiedKafka()
  const log = createLog(
    { access: { brokers: [proxiedBrokers] }, topic: await createTopic(1), stepTimeoutMs: 500 },
    logger,
  )
  await waitFor(() => log.readEnds('everyone', [0]), { timeoutMs: 30_000 })
  // It is sixty times that kafkajs asks then, which takes more than a second.
  proxy.disturb('FindCoordinator', { kind: 'rewrite', rewrite: notAvailable }, Number.POSITIVE_INFINITY)
  await expect(log.readOffsets('any', [0])).rejects.toThrow('reading receipts took longer than 500 ms')
  // The connection that asks for the leaders is left.
  await waitFor(() => expect(proxy.connections).toBe(1))
  await log.close()
}, 120_000)

/** Throttle time, and the error: the coordinator is not available. */
function notAvailable(answer: Buffer): Buffer {
  const refusal = Buffer.from(answer)
  refusal.writeInt16BE(15, 4)
  return refusal
}

test('a broker that takes connections and says nothing is left alone when its time is over', async ({
  onTestFinished,
}) => {
  const sockets = new Set<Socket>()
  let connected = 0
  const server = createServer((socket) => {
    connected += 1
    sockets.add(socket)
    socket
      .resume()
      .on('error', () => {})
      .once('close', () => sockets.delete(socket))
  })
  onTestFinished(() => void server.close())
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const broker = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const log = createLog({ access: { brokers: [broker] }, topic: 'none', stepTimeoutMs }, logger)
  await expect(log.readEnds('everyone', [0])).rejects.toThrow('took longer than 2000 ms')
  // The next request has the only connection: the first one is closed, and kafkajs does not reopen it.
  const again = log.readEnds('everyone', [0])
  again.catch(() => {})
  await Promise.race([again, waitFor(() => connected === 2 && sockets.size === 1)])
  await expect(again).rejects.toThrow('took longer than 2000 ms')
  await waitFor(() => sockets.size === 0)
})

test('the look at the topic before the start leaves no connection to a broker that does not answer', async ({
  startProxiedKafka,
}) => {
  const { proxy, proxiedBrokers, createTopic } = await startProxiedKafka()
  const access = { brokers: [proxiedBrokers] }
  const wanted = { access, topic: await createTopic(1), partitions: 1, replicationFactor: 1, batchBytesMax: 16_384 }
  const silent = proxy.disturb('ApiVersions', { kind: 'lose_answer' }, Number.POSITIVE_INFINITY)
  const look = prepareTopic({ ...wanted, stepTimeoutMs: 500 }, logger)
  await expect(look).rejects.toThrow('connecting to Kafka took longer than 500 ms')
  expect(silent.met).toBeGreaterThan(0)
  await waitFor(() => expect(proxy.connections).toBe(0))
}, 120_000)
