import { exportFilesEnv, readExportFilesConfig } from '@streamledger/export-files'
import { installationEnv, parseEnv, serviceEnv } from '@streamledger/runtime'
import { readTracingConfig, tracingEnv } from '@streamledger/tracing'
import Type from 'typebox'
import { limitsEnv, readLimitsConfig } from './limits-env.ts'

/** RFC 7518, section 3.2: a key for HS256 must be at least as long as its hash. */
const SECRET_BYTES_MIN = 32
const SECRET_EXAMPLE = 'the output of openssl rand -base64 48'

const duration = (unit: string, range: { minimum: number; maximum: number; default: number }, what: string) =>
  Type.Integer({ ...range, description: `${what}, in ${unit}.` })

export const apiEnv = Type.Object({
  ...serviceEnv,
  ...installationEnv,
  ...tracingEnv,
  PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000, description: 'Port of the API.' }),
  OPS_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 9100,
    description: 'Port of health checks and metrics.',
  }),
  DRAIN_DELAY_MS: Type.Integer({
    minimum: 0,
    maximum: 120_000,
    default: 500,
    description:
      'How long a stopping replica still accepts connections after its readiness check fails, in ms. Must be longer than ' +
      'a load balancer takes to notice. Counts towards DRAIN_TIMEOUT_MS.',
  }),
  JWT_SECRET: Type.String({
    minLength: 1,
    examples: [SECRET_EXAMPLE],
    description:
      'Secret that signs access tokens and page cursors: at least 32 random bytes, the same for every replica.',
  }),
  JWT_SECRET_PREVIOUS: Type.Optional(
    Type.String({
      description:
        'A second secret that is accepted but does not sign. To rotate, set it to the next secret first; then swap the two.',
    }),
  ),
  ...exportFilesEnv,
  EXPORT_URL_TTL_S: duration(
    's',
    { minimum: 10, maximum: 86_400, default: 300 },
    'How long a signed download URL for S3 is valid',
  ),
  DATABASE_POOL_MAX: Type.Integer({
    minimum: 2,
    maximum: 500,
    default: 10,
    description: 'Maximum connections to Postgres per replica, in addition to POSTING_BATCHES_MAX + 2 for posting.',
  }),
  DATABASE_CONNECT_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 60_000, default: 3_000 },
    'How long a request waits for a connection before it is answered 503',
  ),
  DATABASE_LOCK_TIMEOUT_MS: duration(
    'ms',
    { minimum: 10, maximum: 60_000, default: 250 },
    'How long a statement waits for a lock',
  ),
  POSTING_BATCHES_MAX: Type.Integer({
    minimum: 1,
    maximum: 16,
    default: 2,
    description: 'Maximum commits of postings under way at once.',
  }),
  POSTING_BATCH_ROWS_MAX: Type.Integer({
    minimum: 1,
    maximum: 5_000,
    default: 500,
    description: 'Maximum postings in one commit.',
  }),
  POSTING_WAITING_MAX: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 5_000,
    description: 'Maximum postings that wait for a commit; one more is answered 503.',
  }),
  POSTING_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 60_000, default: 5_000 },
    'How long a posting is retried, because its wallet was changed by others or the database failed, before it is answered 503',
  ),
  QUEUE_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 60_000, default: 5_000 },
    'How long a read that shares a query, or a password check, may take before it is answered 503; it may wait in a queue for half of that',
  ),
  ACCESS_TOKEN_TTL_S: duration('s', { minimum: 1, maximum: 86_400, default: 900 }, 'How long an access token is valid'),
  REFRESH_TOKEN_TTL_S: duration(
    's',
    { minimum: 1, maximum: 31_536_000, default: 2_592_000 },
    'How long a refresh token is valid',
  ),
  SESSION_TTL_S: duration(
    's',
    { minimum: 60, maximum: 315_360_000, default: 7_776_000 },
    'How long a log-in lasts, even if its refresh tokens are exchanged',
  ),
  REFRESH_GRACE_MS: duration(
    'ms',
    { minimum: 0, maximum: 60_000, default: 10_000 },
    'How long a used refresh token is accepted again, for a client that lost the answer',
  ),
  PASSWORD_HASHES_MAX: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 2, // of libuv's four threads, which files and name look-ups need too
    description: 'Maximum passwords hashed at once, each on its own thread with 19 MiB.',
  }),
  PASSWORD_WAITING_MAX: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 100,
    description: 'Maximum sign-ups and log-ins that wait for their password to be hashed; one more is answered 503.',
  }),
  ...limitsEnv,
  EXPORTS_UNFINISHED_MAX: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 5,
    description: 'Maximum unfinished exports per user; one more is answered 429.',
  }),
  REQUEST_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 300_000, default: 10_000 },
    'How long a client may take to send a request',
  ),
  CONNECTION_IDLE_TIMEOUT_MS: duration(
    'ms',
    { minimum: 1_000, maximum: 600_000, default: 60_000 },
    'How long a connection may be idle before it is closed',
  ),
  CONNECTIONS_MAX: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 16_384,
    description: 'Maximum client connections per replica; one more is closed. The limit on open files must be higher.',
  }),
  BODY_BYTES_MAX: Type.Integer({
    minimum: 1_024,
    maximum: 1_048_576,
    default: 65_536,
    description: 'Maximum size of a request body, in bytes.',
  }),
})

export type ApiConfig = ReturnType<typeof loadApiConfig>

/** @throws Error that names every variable that is missing, out of range, or too weak. */
export function loadApiConfig(env: NodeJS.ProcessEnv) {
  const vars = parseEnv(apiEnv, env)
  const secrets = [vars.JWT_SECRET, ...(vars.JWT_SECRET_PREVIOUS === undefined ? [] : [vars.JWT_SECRET_PREVIOUS])]
  refuseShortSecrets(secrets)
  if (vars.DRAIN_DELAY_MS >= vars.DRAIN_TIMEOUT_MS) {
    throw new Error('configuration: DRAIN_DELAY_MS must be less than DRAIN_TIMEOUT_MS, which includes it')
  }
  return {
    logLevel: vars.LOG_LEVEL,
    drainTimeoutMs: vars.DRAIN_TIMEOUT_MS,
    tracing: readTracingConfig(vars, 'api'),
    http: {
      host: vars.HOST,
      port: vars.PORT,
      opsPort: vars.OPS_PORT,
      requestTimeoutMs: vars.REQUEST_TIMEOUT_MS,
      idleTimeoutMs: vars.CONNECTION_IDLE_TIMEOUT_MS,
      connectionsMax: vars.CONNECTIONS_MAX,
      bodyBytesMax: vars.BODY_BYTES_MAX,
      drainDelayMs: vars.DRAIN_DELAY_MS,
    },
    database: {
      url: vars.DATABASE_URL,
      connectionsMax: vars.DATABASE_POOL_MAX,
      postingConnectionsMax: vars.POSTING_BATCHES_MAX + 2, // one more to draw ids, one more to look at contended wallets
      connectTimeoutMs: vars.DATABASE_CONNECT_TIMEOUT_MS,
      statementTimeoutMs: vars.STATEMENT_TIMEOUT_MS,
      lockTimeoutMs: vars.DATABASE_LOCK_TIMEOUT_MS,
      startTimeoutMs: vars.DATABASE_START_TIMEOUT_MS,
    },
    installation: {
      installationId: vars.INSTALLATION_ID.toLowerCase(), // as Postgres writes a uuid
      topic: vars.KAFKA_TOPIC,
      partitions: vars.TOPIC_PARTITIONS,
    },
    posting: {
      batchesMax: vars.POSTING_BATCHES_MAX,
      batchRowsMax: vars.POSTING_BATCH_ROWS_MAX,
      waitingMax: vars.POSTING_WAITING_MAX,
      timeoutMs: vars.POSTING_TIMEOUT_MS,
    },
    passwords: {
      hashesMax: vars.PASSWORD_HASHES_MAX,
      waitingMax: vars.PASSWORD_WAITING_MAX,
      timeoutMs: vars.QUEUE_TIMEOUT_MS,
    },
    reads: { timeoutMs: vars.QUEUE_TIMEOUT_MS },
    tokens: {
      /** The first one signs; all are accepted. */
      secrets,
      accessTtlS: vars.ACCESS_TOKEN_TTL_S,
      refreshTtlS: vars.REFRESH_TOKEN_TTL_S,
      refreshGraceMs: vars.REFRESH_GRACE_MS,
      sessionTtlS: vars.SESSION_TTL_S,
    },
    limits: readLimitsConfig(vars),
    files: readExportFilesConfig(vars),
    exports: { unfinishedMax: vars.EXPORTS_UNFINISHED_MAX, urlTtlS: vars.EXPORT_URL_TTL_S },
  } as const
}

function refuseShortSecrets(secrets: string[]): void {
  const names = ['JWT_SECRET', 'JWT_SECRET_PREVIOUS']
  const short = names.filter((_, index) => {
    const secret = secrets[index]
    return secret !== undefined && Buffer.byteLength(secret) < SECRET_BYTES_MIN
  })
  if (short.length > 0) {
    throw new Error(
      `configuration: ${short.join(' and ')} must have at least ${SECRET_BYTES_MIN} bytes (example: ${SECRET_EXAMPLE})`,
    )
  }
}
