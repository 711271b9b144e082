import { exportFilesEnv, readExportFilesConfig } from '@streamledger/export-files'
import { installationEnv, parseEnv, serviceEnv } from '@streamledger/runtime'
import { readTracingConfig, tracingEnv } from '@streamledger/tracing'
import Type from 'typebox'
import { limitsEnv, readLimitsConfig } from './limits-env.ts'

/** RFC 7518, section 3.2: a key for HS256 is at least as long as its hash. */
const SECRET_BYTES_MIN = 32

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
      'How long a replica that is told to stop, and not ready any more, goes on serving before it takes no new connections: longer than a balancer needs to notice, and part of DRAIN_TIMEOUT_MS.',
  }),
  JWT_SECRET: Type.String({
    minLength: 1,
    description: 'Signs access tokens and page cursors: at least 32 random bytes, the same for every replica.',
  }),
  JWT_SECRET_PREVIOUS: Type.Optional(
    Type.String({
      description:
        'A second secret, accepted and not signed with: during a rotation the next one first, then the one before.',
    }),
  ),
  ...exportFilesEnv,
  EXPORT_URL_TTL_S: duration(
    's',
    { minimum: 10, maximum: 86_400, default: 300 },
    'How long an address of a file in S3 that a client was sent to may be used',
  ),
  DATABASE_POOL_MAX: Type.Integer({
    minimum: 2,
    maximum: 500,
    default: 10,
    description: 'Connections to Postgres that one replica opens at most, beside POSTING_BATCHES_MAX + 2 for posting.',
  }),
  DATABASE_CONNECT_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 60_000, default: 3_000 },
    'How long a request waits for a connection before it is answered 503',
  ),
  DATABASE_LOCK_TIMEOUT_MS: duration(
    'ms',
    { minimum: 10, maximum: 60_000, default: 250 },
    'How long a statement waits for a lock that somebody else holds',
  ),
  POSTING_BATCHES_MAX: Type.Integer({
    minimum: 1,
    maximum: 16,
    default: 2,
    description: 'Commits of postings under way at once.',
  }),
  POSTING_BATCH_ROWS_MAX: Type.Integer({
    minimum: 1,
    maximum: 5_000,
    default: 500,
    description: 'Postings that share one commit at most.',
  }),
  POSTING_WAITING_MAX: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 5_000,
    description: 'Postings that wait for a commit at most; one more is answered 503.',
  }),
  POSTING_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 60_000, default: 5_000 },
    'How long a posting is tried when its wallet moves on or the database fails, before it is answered 503',
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
    'How long a log-in lasts at most, however often its refresh tokens are exchanged',
  ),
  REFRESH_GRACE_MS: duration(
    'ms',
    { minimum: 0, maximum: 60_000, default: 10_000 },
    'How long a used refresh token may be shown again by a client that lost the answer',
  ),
  PASSWORD_HASHES_MAX: Type.Integer({
    minimum: 1,
    maximum: 64,
    default: 2, // of libuv's four threads, which files and name look-ups need too
    description: 'Passwords that are hashed at once, each on a thread with 19 MiB.',
  }),
  PASSWORD_WAITING_MAX: Type.Integer({
    minimum: 0,
    maximum: 10_000,
    default: 100,
    description: 'Sign-ups and log-ins that wait for their turn to hash; one more is answered 503.',
  }),
  ...limitsEnv,
  EXPORTS_UNFINISHED_MAX: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 5,
    description: 'Unfinished exports a user may have; one more is answered 429.',
  }),
  REQUEST_TIMEOUT_MS: duration(
    'ms',
    { minimum: 100, maximum: 300_000, default: 10_000 },
    'How long a client may take to send a request',
  ),
  CONNECTION_IDLE_TIMEOUT_MS: duration(
    'ms',
    { minimum: 1_000, maximum: 600_000, default: 60_000 },
    'How long a connection may be silent before it is closed',
  ),
  CONNECTIONS_MAX: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 16_384,
    description:
      'Connections of clients that one replica holds at once; one more is closed. The limit on open files must be above it.',
  }),
  BODY_BYTES_MAX: Type.Integer({
    minimum: 1_024,
    maximum: 1_048_576,
    default: 65_536,
    description: 'Largest request body, in bytes.',
  }),
})

export type ApiConfig = ReturnType<typeof loadApiConfig>

/** @throws Error that names every variable that is missing, out of range, or too weak. */
export function loadApiConfig(env: NodeJS.ProcessEnv) {
  const vars = parseEnv(apiEnv, env)
  const secrets = [vars.JWT_SECRET, ...(vars.JWT_SECRET_PREVIOUS === undefined ? [] : [vars.JWT_SECRET_PREVIOUS])]
  refuseShortSecrets(secrets)
  if (vars.DRAIN_DELAY_MS >= vars.DRAIN_TIMEOUT_MS) {
    throw new Error('configuration: DRAIN_DELAY_MS must be less than DRAIN_TIMEOUT_MS, which it is a part of')
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
      postingConnectionsMax: vars.POSTING_BATCHES_MAX + 2, // one draws ids meanwhile, one waits for its turn on a wallet
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
    passwords: { hashesMax: vars.PASSWORD_HASHES_MAX, waitingMax: vars.PASSWORD_WAITING_MAX },
    tokens: {
      /** The first signs, all are accepted. */
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
    throw new Error(`configuration: ${short.join(' and ')} must have at least ${SECRET_BYTES_MIN} bytes`)
  }
}
