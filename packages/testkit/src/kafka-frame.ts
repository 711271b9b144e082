// The parts of Kafka's protocol that a proxy needs: frames and error responses, in the versions that kafkajs 2.2.4 uses with
// a current Kafka. Source: Apache Kafka protocol guide.

const KAFKA_APIS = {
  Produce: 0,
  Fetch: 1,
  ListOffsets: 2,
  Metadata: 3,
  OffsetFetch: 9,
  FindCoordinator: 10,
  ApiVersions: 18,
  InitProducerId: 22,
  AddPartitionsToTxn: 24,
  AddOffsetsToTxn: 25,
  EndTxn: 26,
  TxnOffsetCommit: 28,
} as const
export type KafkaApi = keyof typeof KAFKA_APIS

const KAFKA_ERRORS = {
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  INVALID_PRODUCER_EPOCH: 47,
  CONCURRENT_TRANSACTIONS: 51,
  OPERATION_NOT_ATTEMPTED: 55,
} as const
export type KafkaError = keyof typeof KAFKA_ERRORS

const LENGTH_BYTES = 4
const NAMES = new Map<number, KafkaApi>(
  Object.entries(KAFKA_APIS).map(([name, key]) => [key, name as KafkaApi] as const),
)

export interface RequestFrame {
  api: KafkaApi | undefined
  version: number
  correlationId: number
  body: Buffer
}

/** Splits a stream of bytes into frames, and passes each one on as a whole, with its length in front. */
export function createFramer(onFrame: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + rest.readInt32BE(0)
      if (rest.length < end) return
      const frame = rest.subarray(0, end)
      rest = rest.subarray(end)
      onFrame(frame)
    }
  }
}

export function readRequest(frame: Buffer): RequestFrame {
  const clientIdBytes = Math.max(0, frame.readInt16BE(12))
  return {
    api: NAMES.get(frame.readInt16BE(4)),
    version: frame.readInt16BE(6),
    correlationId: frame.readInt32BE(8),
    body: frame.subarray(14 + clientIdBytes),
  }
}

export function readAnswer(frame: Buffer): { correlationId: number; body: Buffer } {
  return { correlationId: frame.readInt32BE(LENGTH_BYTES), body: frame.subarray(2 * LENGTH_BYTES) }
}

export function encodeAnswer(correlationId: number, body: Buffer): Buffer {
  return Buffer.concat([int32(LENGTH_BYTES + body.length), int32(correlationId), body])
}

/** The error response of a broker to such a request. */
export function refuse({ api, body }: RequestFrame, error: KafkaError): Buffer {
  const code = int16(KAFKA_ERRORS[error])
  const noThrottle = int32(0)
  switch (api) {
    case 'InitProducerId':
      return Buffer.concat([noThrottle, code, NO_PRODUCER])
    case 'AddOffsetsToTxn':
    case 'EndTxn':
      return Buffer.concat([noThrottle, code])
    case 'AddPartitionsToTxn':
    case 'TxnOffsetCommit':
      return Buffer.concat([noThrottle, encodeTopics(readTopics(api, body), (index) => [index, code])])
    case 'Produce':
      return Buffer.concat([encodeTopics(readTopics(api, body), (index) => [index, code, NO_OFFSETS]), noThrottle])
    default:
      throw new Error(`no refusal of ${api} is known here`)
  }
}

interface Topic {
  name: Buffer
  partitions: Buffer[]
}

/** The topics of a request: each name with its length, and each partition's number, as in the protocol. */
function readTopics(api: 'AddPartitionsToTxn' | 'TxnOffsetCommit' | 'Produce', body: Buffer): Topic[] {
  let at = 0
  const take = (bytes: number): Buffer => {
    at += bytes
    return body.subarray(at - bytes, at)
  }
  const takeString = (): Buffer => take(2 + Math.max(0, body.readInt16BE(at)))
  const takeArray = <Item>(read: () => Item): Item[] => Array.from({ length: take(4).readInt32BE() }, read)
  const skipPartition = {
    AddPartitionsToTxn: () => {},
    TxnOffsetCommit: () => {
      take(8)
      takeString()
    },
    Produce: () => take(4 + body.readInt32BE(at)),
  }[api]
  takeString() // the transactional id
  if (api === 'TxnOffsetCommit') takeString() // the group
  take(api === 'Produce' ? 2 + 4 : 8 + 2) // acks and timeout, or producer id and epoch
  return takeArray(() => {
    const name = takeString()
    const partitions = takeArray(() => {
      const partition = take(4)
      skipPartition()
      return partition
    })
    return { name, partitions }
  })
}

function encodeTopics(topics: Topic[], encodePartition: (index: Buffer) => Buffer[]): Buffer {
  const encoded = topics.flatMap(({ name, partitions }) => [
    name,
    int32(partitions.length),
    ...partitions.flatMap(encodePartition),
  ])
  return Buffer.concat([int32(topics.length), ...encoded])
}

const NO_PRODUCER = Buffer.from('ffffffffffffffffffff', 'hex')
/** Base offset, time, and start of the log. */
const NO_OFFSETS = Buffer.alloc(24, 0xff)

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
