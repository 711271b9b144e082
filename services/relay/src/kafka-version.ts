import { connect, type Socket } from 'node:net'
import { withDeadline } from './deadline.ts'

// Kafka's protocol, as far as the question "how old are you?" needs it. kafkajs asks it too, and keeps the answer.
// Source: Apache Kafka protocol guide, ApiVersions request and response, version 0.
const API_VERSIONS = 18
const FETCH = 1
/** Kafka 4.0 no longer speaks the Fetch versions below this one. */
const FETCH_MIN_OF_KAFKA_4 = 4
const RESPONSE_BYTES_MAX = 64 * 1024

/** Whether a broker is Kafka 4.0 or newer: only then is a receipt readable as soon as its transaction is committed. */
export async function isKafka4(broker: string, timeoutMs: number): Promise<boolean> {
  const separator = broker.lastIndexOf(':')
  const socket = connect({
    host: broker.slice(0, separator).replace(/^\[|\]$/g, ''),
    port: Number(broker.slice(separator + 1)),
  })
  try {
    const response = readFrame(socket)
    socket.write(encodeRequest())
    const body = await withDeadline(`asking ${broker} for its version`, timeoutMs, response)
    return (lowestVersions(body).get(FETCH) ?? 0) >= FETCH_MIN_OF_KAFKA_4
  } finally {
    socket.destroy()
  }
}

/** Length, then key, version, correlation id, and a client id that is null. */
function encodeRequest(): Buffer {
  const request = Buffer.alloc(14)
  request.writeInt32BE(10, 0)
  request.writeInt16BE(API_VERSIONS, 4)
  request.writeInt16BE(0, 6)
  request.writeInt32BE(1, 8)
  request.writeInt16BE(-1, 12)
  return request
}

function readFrame(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the broker closed the connection')))
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk as Buffer])
      const length = received.length >= 4 ? received.readInt32BE(0) : 0
      if (length > RESPONSE_BYTES_MAX) reject(new Error('the answer is not one of Kafka'))
      else if (length > 0 && received.length >= 4 + length) resolve(received.subarray(4, 4 + length))
    })
  })
}

/** After the correlation id and an error code: an array of key, lowest and highest version. */
function lowestVersions(body: Buffer): Map<number, number> {
  const count = body.readInt32BE(6)
  const lowest = new Map<number, number>()
  for (let index = 0, at = 10; index < count; index += 1, at += 6) {
    lowest.set(body.readInt16BE(at), body.readInt16BE(at + 2))
  }
  return lowest
}
