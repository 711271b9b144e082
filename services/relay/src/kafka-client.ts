import type { Socket } from 'node:net'
import { createKafka, type KafkaAccess } from '@streamledger/kafka'
import type { Logger } from '@streamledger/runtime'
import { type ISocketFactory, type Kafka, logLevel } from 'kafkajs'
import { openSocket } from './kafka-socket.ts'

/** Header of a batch's first record. It makes a batch findable in the topic without its receipt. */
export const BATCH_HEADER = 'streamledger_batch'
/** Header of a fence record, which is always aborted. Its value only helps people who read the raw log. */
export const FENCE_HEADER = 'streamledger_fence'

// After a commit the coordinator answers CONCURRENT_TRANSACTIONS for some milliseconds. With kafkajs's default of 300
// ms between tries a partition would reach four transactions a second. Recovery handles what outlasts these retries.
export const RETRY = { initialRetryTime: 2, maxRetryTime: 20, multiplier: 1.5, factor: 0.2, retries: 60 }
const CONNECT_TIMEOUT_MS = 3_000

/** The default of kafkajs. */
const KEEP_ALIVE_DELAY_MS = 60_000

export interface KafkaClient {
  kafka: Kafka
  /** Closes all connections at once, with requests in flight, and refuses to open new ones. */
  cutOff(): void
}

let turns = 0

/** Which broker of the list comes first, if each time it is the next one. */
export const nextTurn = (): number => turns++

/**
 * `turn`: the client begins with this broker of the list, counted around. kafkajs asks the first one for all others, so one
 * that takes connections and does not answer would stop every client that begins with it.
 */
export function createKafkaClient(
  access: KafkaAccess,
  logger: Logger,
  requestTimeoutMs: number,
  turn = nextTurn(),
): KafkaClient {
  const { brokers } = access
  const first = turn % brokers.length
  const { socketFactory, cutOff } = trackSockets()
  const kafka = createKafka({
    ...access,
    brokers: [...brokers.slice(first), ...brokers.slice(0, first)],
    socketFactory,
    clientId: 'streamledger-relay',
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    retry: RETRY,
    logLevel: logLevel.WARN,
    // kafkajs logs each failed try as an error. Failures that matter reach us as rejections.
    logCreator: () => (entry) => logger.debug({ kafkajs: entry.log.message, namespace: entry.namespace }, 'kafkajs'),
  })
  return { kafka, cutOff }
}

/**
 * Closes the sockets of a client that is no longer used. kafkajs does not: it keeps sending on a connection that no
 * longer answers, waits for those answers before it disconnects, and reconnects for pending retries.
 */
function trackSockets(): { socketFactory: ISocketFactory; cutOff(): void } {
  const sockets = new Set<Socket>()
  let isCutOff = false
  return {
    socketFactory: ({ onConnect, ...broker }) => {
      if (isCutOff) throw new Error('this client has been given up')
      const socket = openSocket(broker, onConnect).setKeepAlive(true, KEEP_ALIVE_DELAY_MS)
      sockets.add(socket)
      return socket.once('close', () => sockets.delete(socket))
    },
    cutOff: () => {
      isCutOff = true
      // With an error, because kafkajs then rejects the requests in flight.
      for (const socket of sockets) socket.destroy(new Error('given up'))
    },
  }
}
