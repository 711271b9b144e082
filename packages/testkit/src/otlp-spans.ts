// Reads the requests of an OTLP exporter by the wire format alone, so that a test sees the same as any collector.
// Sources: Protocol Buffers, "Encoding"; opentelemetry-proto, trace/v1/trace.proto and common/v1/common.proto.

/** A span as it was received. */
export interface OtlpSpan {
  /** `service.name` of the sender. */
  service: string
  resource: Record<string, OtlpValue>
  traceId: string
  spanId: string
  /** Empty for the first span of a trace. */
  parentSpanId: string
  traceState: string
  name: string
  kind: (typeof KINDS)[number]
  startNs: bigint
  endNs: bigint
  attributes: Record<string, OtlpValue>
  failed: boolean
}

export type OtlpValue = string | boolean | number

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const
const STATUS_ERROR = 2n

interface Field {
  number: number
  /** The value of a varint or a fixed-size number. */
  value: bigint
  /** The bytes of a length-delimited field. */
  bytes: Buffer
}

const NOTHING = Buffer.alloc(0)

/** The spans of one ExportTraceServiceRequest. */
export function readOtlpSpans(request: Buffer): OtlpSpan[] {
  return messagesOf(request, 1).flatMap((resourceSpans) => {
    const resource = readAttributes(messageOf(resourceSpans, 1), 1)
    return messagesOf(resourceSpans, 2).flatMap((scopeSpans) =>
      messagesOf(scopeSpans, 2).map((span) => readSpan(span, resource)),
    )
  })
}

function readSpan(span: Buffer, resource: Record<string, OtlpValue>): OtlpSpan {
  const hex = (field: number): string => messageOf(span, field).toString('hex')
  const text = (field: number): string => messageOf(span, field).toString()
  return {
    service: String(resource['service.name']),
    resource,
    traceId: hex(1),
    spanId: hex(2),
    traceState: text(3),
    parentSpanId: hex(4),
    name: text(5),
    kind: KINDS[Number(numberOf(span, 6))] ?? 'unspecified',
    startNs: numberOf(span, 7),
    endNs: numberOf(span, 8),
    attributes: readAttributes(span, 9),
    failed: numberOf(messageOf(span, 15), 3) === STATUS_ERROR,
  }
}

function readAttributes(message: Buffer, field: number): Record<string, OtlpValue> {
  const pairs = messagesOf(message, field).map((pair) => [messageOf(pair, 1).toString(), readValue(messageOf(pair, 2))])
  return Object.fromEntries(pairs)
}

function readValue(value: Buffer): OtlpValue {
  const [field] = fieldsOf(value)
  switch (field?.number) {
    case 1:
      return field.bytes.toString()
    case 2:
      return field.value === 1n
    case 3:
      return Number(field.value)
    case 4:
      return doubleOf(field.value)
    default:
      throw new Error(`unexpected kind of attribute: field ${field?.number}`)
  }
}

function doubleOf(bits: bigint): number {
  const buffer = Buffer.alloc(8)
  buffer.writeBigUInt64LE(bits)
  return buffer.readDoubleLE()
}

const messagesOf = (message: Buffer, number: number): Buffer[] =>
  fieldsOf(message).flatMap((field) => (field.number === number ? [field.bytes] : []))

const messageOf = (message: Buffer, number: number): Buffer => messagesOf(message, number)[0] ?? NOTHING

const numberOf = (message: Buffer, number: number): bigint =>
  fieldsOf(message).find((field) => field.number === number)?.value ?? 0n

const WIRE = { varint: 0, fixed64: 1, length: 2, fixed32: 5 }

function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const readVarint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = Number(readVarint())
    const field: Field = { number: tag >>> 3, value: 0n, bytes: NOTHING }
    switch (tag & 7) {
      case WIRE.varint:
        field.value = readVarint()
        break
      case WIRE.fixed64:
        field.value = message.readBigUInt64LE(at)
        at += 8
        break
      case WIRE.length: {
        const length = Number(readVarint())
        field.bytes = message.subarray(at, at + length)
        at += length
        break
      }
      case WIRE.fixed32:
        field.value = BigInt(message.readUInt32LE(at))
        at += 4
        break
      default:
        throw new Error(`not a protobuf message: wire type ${tag & 7} at byte ${at}`)
    }
    fields.push(field)
  }
  return fields
}
