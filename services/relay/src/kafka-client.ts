import type { Logger } from '@streamledger/runtime'
import { Kafka, logLevel } from 'kafkajs'

/** Marks a batch's first record, so that a batch can be found in the topic without its receipt. */
export const BATCH_HEADER = 'streamledger_batch'
/** Marks a record that is there to be aborted: what it says is for whoever looks at the raw log. */
export const FENCE_HEADER = 'streamledger_fence'

// After a commit the coordinator answers CONCURRENT_TRANSACTIONS for some milliseconds; kafkajs's own 300 ms between
// tries would mean four transactions a second. The tries are few: whatever lasts longer is settled by recovery.
export const RETRY = { initialRetryTime: 2, maxRetryTime: 20, multiplier: 1.5, factor: 0.2, retries: 60 }
export const CONNECT_TIMEOUT_MS = 3_000

export function createKafkaClient(brokers: string[], logger: Logger, requestTimeoutMs: number): Kafka {
  return new Kafka({
    clientId: 'streamledger-relay',
    brokers,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    retry: RETRY,
    logLevel: logLevel.WARN,
    // kafkajs calls every try that failed an error; what matters of it comes back to us as a rejection.
    logCreator: () => (entry) => logger.debug({ kafkajs: entry.log.message, namespace: entry.namespace }, 'kafkajs'),
  })
}
