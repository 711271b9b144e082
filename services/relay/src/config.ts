import { kafkaEnv, readKafkaAccess, topicEnv } from '@streamledger/kafka'
import { installationEnv, parseEnv, serviceEnv } from '@streamledger/runtime'
import { readTracingConfig, tracingEnv } from '@streamledger/tracing'
import Type from 'typebox'

/** Variables of the relay. @public */
export const relayEnv = Type.Object({
  ...serviceEnv,
  ...installationEnv,
  ...tracingEnv,
  OPS_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 9101,
    description: 'Port of health checks and metrics.',
  }),
  ...kafkaEnv,
  ...topicEnv,
  RELAY_BATCH_ROWS_MAX: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 1_000,
    description: 'Maximum number of rows in a batch. One batch is one Kafka transaction.',
  }),
  RELAY_LEASE_MS: Type.Integer({
    minimum: 1_000,
    maximum: 60_000,
    default: 3_000,
    description: 'Duration of a partition lease, in ms. A dead replica blocks its partitions for up to this long.',
  }),
  RELAY_STEP_TIMEOUT_MS: Type.Integer({
    minimum: 500,
    maximum: 60_000,
    default: 5_000,
    description:
      'Timeout of one relay step, in ms. After it the outcome counts as unknown, and the lease of a stuck partition is not renewed.',
  }),
  RELAY_TRANSACTION_TIMEOUT_MS: Type.Integer({
    minimum: 1_000,
    maximum: 120_000,
    default: 10_000,
    description:
      'Timeout after which Kafka aborts an unfinished transaction, in ms; at least twice RELAY_STEP_TIMEOUT_MS.',
  }),
  RELAY_RECEIPT_PATIENCE_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 60_000,
    description:
      'How long a receipt may lag behind Postgres before the partition is halted, in ms. A restarted broker needs time to load receipts.',
  }),
  RELAY_TOPIC_CHECK_MS: Type.Integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 30_000,
    description: 'Interval of the check for topic partitions that the database does not know, in ms.',
  }),
  RELAY_POLL_MS: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 5,
    description: 'Polling interval of the outbox while rows arrive, in ms.',
  }),
  RELAY_POLL_IDLE_MS: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'Longest polling interval of the outbox while it stays empty, in ms.',
  }),
  RELAY_LINGER_MS: Type.Integer({
    minimum: 0,
    maximum: 1_000,
    default: 80,
    description:
      'Longest pause between two batches of a busy partition, in ms. The pause grows by 4 ms per row of the last batch; it makes transactions fewer and fuller.',
  }),
})

export type RelayConfig = ReturnType<typeof loadRelayConfig>

/** @throws Error that names each variable that is missing or invalid. */
export function loadRelayConfig(env: NodeJS.ProcessEnv) {
  const vars = parseEnv(relayEnv, env)
  if (vars.RELAY_TRANSACTION_TIMEOUT_MS < 2 * vars.RELAY_STEP_TIMEOUT_MS) {
    // Otherwise Kafka could abort a transaction that the relay still considers open.
    throw new Error('configuration: RELAY_TRANSACTION_TIMEOUT_MS must be at least twice RELAY_STEP_TIMEOUT_MS')
  }
  return {
    service: {
      logLevel: vars.LOG_LEVEL,
      drainTimeoutMs: vars.DRAIN_TIMEOUT_MS,
      ops: { host: vars.HOST, port: vars.OPS_PORT },
    },
    tracing: readTracingConfig(vars, 'relay'),
    database: {
      url: vars.DATABASE_URL,
      statementTimeoutMs: vars.STATEMENT_TIMEOUT_MS,
      startTimeoutMs: vars.DATABASE_START_TIMEOUT_MS,
    },
    installationId: vars.INSTALLATION_ID.toLowerCase(),
    topic: {
      name: vars.KAFKA_TOPIC,
      partitions: vars.TOPIC_PARTITIONS,
      replicationFactor: vars.TOPIC_REPLICATION_FACTOR,
    },
    kafka: {
      access: readKafkaAccess(vars),
      stepTimeoutMs: vars.RELAY_STEP_TIMEOUT_MS,
      transactionTimeoutMs: vars.RELAY_TRANSACTION_TIMEOUT_MS,
    },
    lease: { leaseMs: vars.RELAY_LEASE_MS, stepTimeoutMs: vars.RELAY_STEP_TIMEOUT_MS },
    topicCheckMs: vars.RELAY_TOPIC_CHECK_MS,
    receiptPatienceMs: vars.RELAY_RECEIPT_PATIENCE_MS,
    batch: { rowsMax: vars.RELAY_BATCH_ROWS_MAX, bytesMax: vars.RELAY_BATCH_BYTES_MAX },
    pace: { pollMs: vars.RELAY_POLL_MS, pollIdleMs: vars.RELAY_POLL_IDLE_MS, lingerMs: vars.RELAY_LINGER_MS },
  } as const
}
