import { kafkaEnv, readKafkaAccess, topicEnv } from '@streamledger/kafka'
import { installationEnv, parseEnv, serviceEnv } from '@streamledger/runtime'
import { readTracingConfig, tracingEnv } from '@streamledger/tracing'
import Type from 'typebox'

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
    description: 'Most rows of one batch, which is one Kafka transaction.',
  }),
  RELAY_LEASE_MS: Type.Integer({
    minimum: 1_000,
    maximum: 60_000,
    default: 3_000,
    description: 'How long a lease lasts that is not renewed: a dead replica keeps its partitions this long.',
  }),
  RELAY_STEP_TIMEOUT_MS: Type.Integer({
    minimum: 500,
    maximum: 60_000,
    default: 5_000,
    description:
      'Longest that one step may take: its outcome counts as unknown then, and a lane stuck in it is not renewed.',
  }),
  RELAY_TRANSACTION_TIMEOUT_MS: Type.Integer({
    minimum: 1_000,
    maximum: 120_000,
    default: 10_000,
    description: 'When Kafka aborts a transaction that nobody finishes; at least twice RELAY_STEP_TIMEOUT_MS.',
  }),
  RELAY_RECEIPT_PATIENCE_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 60_000,
    description: 'How long a receipt may lag behind Postgres before the partition halts: a restarted broker loads it.',
  }),
  RELAY_TOPIC_CHECK_MS: Type.Integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 30_000,
    description: 'How often the topic is asked whether somebody has added partitions that the database does not know.',
  }),
  RELAY_POLL_MS: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 5,
    description: 'How often the outbox is asked for rows while there are some.',
  }),
  RELAY_POLL_IDLE_MS: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'How often it is asked when it has long been empty.',
  }),
  RELAY_LINGER_MS: Type.Integer({
    minimum: 0,
    maximum: 1_000,
    default: 80,
    description:
      'Longest pause of a busy partition between batches, so that transactions are few and full: 4 ms for each row of the last one.',
  }),
})

export type RelayConfig = ReturnType<typeof loadRelayConfig>

/** @throws Error that names every variable that is missing or does not parse. */
export function loadRelayConfig(env: NodeJS.ProcessEnv) {
  const vars = parseEnv(relayEnv, env)
  if (vars.RELAY_TRANSACTION_TIMEOUT_MS < 2 * vars.RELAY_STEP_TIMEOUT_MS) {
    // Otherwise Kafka could abort a transaction that the relay still believes in.
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
