import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from '@streamledger/testkit'
import { readKafkaVersion } from '../src/kafka-version.ts'

const TIMEOUT_MS = 2_000

/** A broker that answers each request with these bytes, because the tests only have one version of Kafka. */
async function answering(bytes: Buffer) {
  const server = createServer((socket) => socket.on('data', () => socket.write(bytes)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { broker: `127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

const int16 = (value: number): number[] => [value >> 8, value & 0xff]
const text = (value: string): number[] => [value.length + 1, ...Buffer.from(value)]

function frame(...body: number[]): Buffer {
  return Buffer.from([0, 0, body.length >> 8, body.length & 0xff, ...body])
}

/** An ApiVersions response that offers Fetch from this version on, and these features. */
function offers(fetchMin: number, features: [name: string, max: number][] = []): Buffer {
  const list = features.flatMap(([name, max]) => [...text(name), ...int16(1), ...int16(max), 0])
  const tag = [0, list.length + 1, features.length + 1, ...list]
  const fetch = [...int16(1), ...int16(fetchMin), ...int16(17), 0]
  const other = [...int16(0), ...int16(3), ...int16(9), 1, 7, 2, 0xaa, 0xbb] // with an unknown tag
  const unknown = [5, 1, 0xcc]
  return frame(
    0,
    0,
    0,
    1,
    0,
    0,
    3,
    ...other,
    ...fetch,
    0,
    0,
    0,
    0,
    ...(features.length > 0 ? [2, ...unknown, ...tag] : [0]),
  )
}

/** The answer of a broker that does not support this version of the request. */
const UNSUPPORTED_VERSION = frame(0, 0, 0, 1, 0, 35, 0, 0, 0, 0)

test('the Kafka that the tests run on is new enough, and leaves no mark out', async ({ engines }) => {
  expect(await readKafkaVersion(engines.brokers, { timeoutMs: TIMEOUT_MS })).toEqual({
    isKafka4: true,
    mayLeaveMarkOut: false,
  })
})

test.for([
  ['0.11', UNSUPPORTED_VERSION, { isKafka4: false, mayLeaveMarkOut: undefined }],
  ['3.9', offers(0, [['metadata.version', 21]]), { isKafka4: false, mayLeaveMarkOut: false }],
  ['4.0', offers(4, [['metadata.version', 25]]), { isKafka4: true, mayLeaveMarkOut: false }],
  [
    '4.2',
    offers(4, [
      ['group.version', 1],
      ['metadata.version', 29],
    ]),
    { isKafka4: true, mayLeaveMarkOut: false },
  ],
  [
    '4.3',
    offers(4, [
      ['metadata.version', 30],
      ['group.version', 1],
    ]),
    { isKafka4: true, mayLeaveMarkOut: true },
  ],
  ['4.4', offers(4, [['metadata.version', 33]]), { isKafka4: true, mayLeaveMarkOut: true }],
  ['4.5', offers(4, [['metadata.version', 34]]), { isKafka4: true, mayLeaveMarkOut: false }],
  ['that tells no features', offers(4), { isKafka4: true, mayLeaveMarkOut: undefined }],
] as const)('a Kafka %s is told by its answer', async ([, answer, expected]) => {
  const { broker, close } = await answering(answer)
  expect(await readKafkaVersion(broker, { timeoutMs: TIMEOUT_MS })).toEqual(expected)
  close()
})

test('something that is no Kafka, or nothing at all, is an error and no verdict', async () => {
  const web = await answering(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await expect(readKafkaVersion(web.broker, { timeoutMs: TIMEOUT_MS })).rejects.toThrow('not from Kafka')
  web.close()
  const silent = await answering(Buffer.alloc(0))
  await expect(readKafkaVersion(silent.broker, { timeoutMs: 100 })).rejects.toThrow('took longer')
  silent.close()
  await expect(readKafkaVersion('127.0.0.1:9', { timeoutMs: TIMEOUT_MS })).rejects.toThrow('ECONNREFUSED')
})
