import type { Socket } from 'node:net'
import { createReader, type KafkaAccess, type ProtocolReader } from '@streamledger/kafka'
import { withDeadline } from './deadline.ts'
import { openSocket } from './kafka-socket.ts'

// The part of Kafka's protocol that asks a broker for its version. kafkajs sends an older version of this request,
// whose answer has no features, and does not expose the answer.
// Source: Apache Kafka protocol guide, ApiVersions request and response, version 3.
const API_VERSIONS = 18
const API_VERSIONS_VERSION = 3
const SOFTWARE = 'streamledger-relay'
const FETCH = 1
/** Kafka 4.0 dropped the Fetch versions below this one. */
const FETCH_MIN_OF_KAFKA_4 = 4
/** The tag of the list of supported features. */
const SUPPORTED_FEATURES = 0
const METADATA_VERSION = 'metadata.version'
/** The newest metadata.version of 4.2 is 29; 4.3 has 30, 4.4 has 31 to 33, and 4.5 begins at 34. */
const METADATA_VERSIONS_OF_4_3_AND_4_4 = { min: 30, max: 33 }
const RESPONSE_BYTES_MAX = 64 * 1024

/** What a broker's answer says about its version. */
export interface KafkaVersion {
  /** Whether it is Kafka 4.0 or newer: only then is a receipt readable as soon as its transaction is committed. */
  isKafka4: boolean
  /**
   * Whether it is 4.3 or 4.4: 4.3.x and 4.4.0 can leave out the marker of a commit that they acknowledged
   * (KAFKA-20734). The answer contains the minor release but not the patch. Undefined: the answer does not say.
   */
  mayLeaveMarkOut: boolean | undefined
}

/** Needs no authentication: a broker answers this request before SASL. */
export async function readKafkaVersion(
  broker: string,
  { ssl, timeoutMs }: Pick<KafkaAccess, 'ssl'> & { timeoutMs: number },
): Promise<KafkaVersion> {
  const separator = broker.lastIndexOf(':')
  const socket = openSocket({
    host: broker.slice(0, separator).replace(/^\[|\]$/g, ''),
    port: Number(broker.slice(separator + 1)),
    ssl,
  })
  try {
    const response = readFrame(socket)
    socket.write(encodeRequest())
    return decodeResponse(await withDeadline(`asking ${broker} for its version`, timeoutMs, response))
  } finally {
    socket.destroy()
  }
}

/** Length; key, version, correlation id, null client id, no tags; name and version of the client, no tags. */
function encodeRequest(): Buffer {
  const header = Buffer.alloc(11)
  header.writeInt16BE(API_VERSIONS, 0)
  header.writeInt16BE(API_VERSIONS_VERSION, 2)
  header.writeInt32BE(1, 4)
  header.writeInt16BE(-1, 8)
  const body = Buffer.concat([header, compact(SOFTWARE), compact('1'), Buffer.alloc(1)])
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length)
  return Buffer.concat([length, body])
}

function compact(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length + 1), Buffer.from(text)])
}

function readFrame(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the broker closed the connection')))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk as Buffer])
      const length = received.length >= 4 ? received.readInt32BE(0) : 0
      if (length > RESPONSE_BYTES_MAX) reject(new Error('the answer is not from Kafka'))
      else if (length > 0 && received.length >= 4 + length) resolve(received.subarray(4, 4 + length))
    })
  })
}

/** After the correlation id: error code; each request's key, lowest and highest version; throttle time; tags. */
function decodeResponse(body: Buffer): KafkaVersion {
  const reader = createReader(body, 4)
  // A broker older than 2.4 does not support this version of the request.
  if (reader.int16() !== 0) return { isKafka4: false, mayLeaveMarkOut: undefined }
  let fetchMin = 0
  for (let left = reader.varint() - 1; left > 0; left -= 1) {
    const [key, min] = [reader.int16(), reader.int16()]
    if (key === FETCH) fetchMin = min
    reader.skip(2)
    reader.skipTags()
  }
  reader.skip(4)
  const newest = readFeature(reader, METADATA_VERSION)
  const { min, max } = METADATA_VERSIONS_OF_4_3_AND_4_4
  return {
    isKafka4: fetchMin >= FETCH_MIN_OF_KAFKA_4,
    mayLeaveMarkOut: newest === undefined ? undefined : newest >= min && newest <= max,
  }
}

/** The highest version of a feature that the broker supports. */
function readFeature(reader: ProtocolReader, wanted: string): number | undefined {
  for (let tags = reader.varint(); tags > 0; tags -= 1) {
    const [tag, bytes] = [reader.varint(), reader.varint()]
    if (tag !== SUPPORTED_FEATURES) {
      reader.skip(bytes)
      continue
    }
    for (let left = reader.varint() - 1; left > 0; left -= 1) {
      const name = reader.text()
      reader.skip(2)
      const max = reader.int16()
      if (name === wanted) return max
      reader.skipTags()
    }
  }
  return undefined
}
