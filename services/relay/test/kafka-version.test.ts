import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from '@streamledger/testkit'
import { isKafka4 } from '../src/kafka-version.ts'

const TIMEOUT_MS = 2_000

/** A broker that answers every request with these bytes: an old Kafka is not to be had from Maven beside the new one. */
async function answering(bytes: Buffer) {
  const server = createServer((socket) => socket.on('data', () => socket.write(bytes)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { broker: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

/** An ApiVersions response that offers Fetch from this version on. */
function offersFetchFrom(lowest: number): Buffer {
  const response = Buffer.alloc(4 + 10 + 6)
  response.writeInt32BE(16, 0)
  response.writeInt32BE(1, 4)
  response.writeInt32BE(1, 10)
  response.writeInt16BE(1, 14)
  response.writeInt16BE(lowest, 16)
  response.writeInt16BE(17, 18)
  return response
}

test('the Kafka that the tests run on is new enough', async ({ engines }) => {
  expect(await isKafka4(engines.brokers, TIMEOUT_MS)).toBe(true)
})

test.for([
  [0, false],
  [3, false],
  [4, true],
] as const)('a broker that speaks Fetch from version %i on is new enough: %s', async ([lowest, expected]) => {
  const { broker, close } = await answering(offersFetchFrom(lowest))
  expect(await isKafka4(broker, TIMEOUT_MS)).toBe(expected)
  close()
})

test('something that is no Kafka, or nothing at all, is an error and no verdict', async () => {
  const web = await answering(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expect(isKafka4(web.broker, TIMEOUT_MS)).rejects.toThrow('not one of Kafka')
  web.close()
  const silent = await answering(Buffer.alloc(0))
  await expect(isKafka4(silent.broker, 100)).rejects.toThrow('took longer')
  silent.close()
  await expect(isKafka4('127.0.0.1:9', TIMEOUT_MS)).rejects.toThrow('ECONNREFUSED')
})
