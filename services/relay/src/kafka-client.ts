import type { Socket } from 'node:net'
import type { KafkaAccess } from '@streamledger/kafka'
import type { Logger } from '@streamledger/runtime'
import { type ISocketFactory, Kafka, logLevel } from 'kafkajs'
import { openSocket } from './kafka-socket.ts'

/** Marks a batch's first record, so that a batch can be found in the topic without its receipt. */
export const BATCH_HEADER = 'streamledger_batch'
/** Marks a record that is there to be aborted: what it says is for whoever looks at the raw log. */
export const FENCE_HEADER = 'streamledger_fence'

// After a commit the coordinator answers CONCURRENT_TRANSACTIONS for some milliseconds; kafkajs's own 300 ms between
// tries would mean four transactions a second. The tries are few: whatever lasts longer is settled by recovery.
export const RETRY = { initialRetryTime: 2, maxRetryTime: 20, multiplier: 1.5, factor: 0.2, retries: 60 }
const CONNECT_TIMEOUT_MS = 3_000

/** As in kafkajs. */
const KEEP_ALIVE_DELAY_MS = 60_000

export interface KafkaClient {
  kafka: Kafka
  /** Ends its connections, whatever they wait for, and opens none any more. */
  cutOff(): void
}

export function createKafkaClient(access: KafkaAccess, logger: Logger, requestTimeoutMs: number): KafkaClient {
  const { socketFactory, cutOff } = trackSockets()
  const kafka = new Kafka({
    ...access,
    socketFactory,
    clientId: 'streamledger-relay',
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    retry: RETRY,
    logLevel: logLevel.WARN,
    // kafkajs calls every try that failed an error; what matters of it comes back to us as a rejection.
    logCreator: () => (entry) => logger.debug({ kafkajs: entry.log.message, namespace: entry.namespace }, 'kafkajs'),
  })
  return { kafka, cutOff }
}

/**
 * kafkajs keeps a connection on which nothing is answered any more and asks on it again and again, waits for such
 * answers before it disconnects, and connects anew for tries that are still to come. So whoever is done with a client
 * ends its sockets here.
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
      // With an error, which is what kafkajs listens for: it rejects the requests that are open.
      for (const socket of sockets) socket.destroy(new Error('given up'))
    },
  }
}
