import { randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { Tracing } from '@streamledger/tracing'
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify'
import type { Registry } from 'prom-client'
import { createLogInKey } from './accounts/log-in-counts.ts'
import type { Passwords } from './accounts/passwords.ts'
import type { ApiConfig } from './config.ts'
import type { ExportFiles } from './export-store.ts'
import { createPageCursors } from './ledger/page-cursor.ts'
import type { PostingQueue } from './ledger/posting-queue.ts'
import { createWalletReader } from './ledger/wallet-reader.ts'
import { accessTokens } from './plugins/authenticate.ts'
import { connectionLimit, drain } from './plugins/connections.ts'
import { createRefusalTurns, type GuardOptions, guard, guardUsers } from './plugins/guard.ts'
import { openapi } from './plugins/openapi.ts'
import { parseInput } from './plugins/parse-input.ts'
import { problemDetails, refuseConnection, sendProblem } from './plugins/problem-details.ts'
import { requestMetrics } from './plugins/request-metrics.ts'
import { securityHeaders } from './plugins/security-headers.ts'
import { traceRequests } from './plugins/trace-requests.ts'
import { authRoutes } from './routes/auth.ts'
import { exportFileRoutes } from './routes/export-file.ts'
import { exportRoutes } from './routes/exports.ts'
import { transactionRoutes } from './routes/transactions.ts'
import { walletRoutes } from './routes/wallet.ts'
import { accountSchemas } from './schemas/account.ts'
import { exportSchemas } from './schemas/export.ts'
import { Problem } from './schemas/problem.ts'
import { transactionSchemas } from './schemas/transaction.ts'

export interface AppDeps {
  config: Pick<ApiConfig, 'http' | 'tokens' | 'limits' | 'exports' | 'reads' | 'installation'>
  db: Db
  posting: PostingQueue
  passwords: Passwords
  files: ExportFiles
  logger: Logger
  registry: Registry
  /** Undefined if tracing is off. */
  tracing?: Tracing | undefined
}

const BASE = '/api/v1'
/** A trans_id has up to 255 characters of up to four bytes, each byte written as %XX. */
const PATH_PARAMETER_CHARACTERS_MAX = 3_060
const CONNECTIONS_CHECK_INTERVAL_MS = 1_000
const HEADER_BYTES_MAX = 16_384

/** Builds the API as an app that does not listen yet. The caller closes the dependencies. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = createServer(deps)
  const { registry } = deps
  const { limits, tokens } = deps.config
  const guarded = { limits, turns: createRefusalTurns() }
  await app.register(connectionLimit, { connectionsMax: deps.config.http.connectionsMax, registry })
  await app.register(drain, { delayMs: deps.config.http.drainDelayMs })
  await app.register(problemDetails)
  await app.register(securityHeaders)
  await app.register(requestMetrics, { registry })
  await app.register(guard, guarded)
  await app.register(traceRequests, { tracing: deps.tracing })
  await app.register(parseInput)
  await app.register(accessTokens, { secrets: tokens.secrets })
  await app.register(openapi, { base: BASE })
  for (const schema of [Problem, ...accountSchemas, ...transactionSchemas, ...exportSchemas]) app.addSchema(schema)
  await app.register((scope) => registerRoutes(scope, deps, guarded), { prefix: BASE })
  return app
}

async function registerRoutes(scope: FastifyInstance, deps: AppDeps, guarded: GuardOptions): Promise<void> {
  const { db, passwords, posting, files, config } = deps
  const { tokens } = config
  const logInCounts = { key: createLogInKey(tokens.secrets), ...config.limits.logIn }
  // Answers contain tokens, balances and names: caches must not keep them.
  scope.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store')
    done()
  })
  await scope.register(authRoutes, {
    db,
    passwords,
    sessions: tokens,
    logInCounts,
    accessTtlS: tokens.accessTtlS,
    guarded,
  })
  await scope.register(async (users) => {
    const cursors = createPageCursors(tokens.secrets)
    await users.register(guardUsers, { ...guarded, secrets: tokens.secrets })
    await users.register(walletRoutes, { wallets: createWalletReader(db, config.reads) })
    await users.register(transactionRoutes, {
      ...{ db, posting, cursors, turns: guarded.turns },
      ...{ reads: config.reads, topic: config.installation.topic },
    })
    await users.register(exportRoutes, { db, files, cursors, unfinishedMax: config.exports.unfinishedMax })
    await users.register(exportFileRoutes, { db, files })
  })
}

function createServer({ config: { http, limits }, logger }: AppDeps): FastifyInstance {
  return fastify({
    loggerInstance: logger as FastifyBaseLogger,
    // One log line per request would cost more than many requests do. The metrics count every request.
    logController: new LogController({ disableRequestLogging: true }),
    // A logger per request is not needed: the few lines that are written contain the request id.
    childLoggerFactory: (parent) => parent,
    genReqId: () => randomUUID(),
    trustProxy: limits.trustedProxies.length > 0 && [...limits.trustedProxies],
    bodyLimit: http.bodyBytesMax,
    requestTimeout: http.requestTimeoutMs,
    connectionTimeout: http.idleTimeoutMs,
    keepAliveTimeout: http.idleTimeoutMs,
    http: {
      headersTimeout: http.requestTimeoutMs,
      connectionsCheckingInterval: CONNECTIONS_CHECK_INTERVAL_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      requireHostHeader: false, // `guard` checks it, and answers with problem details
    },
    // While stopping, requests on open connections are still answered, with `connection: close`.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PATH_PARAMETER_CHARACTERS_MAX },
    // Input is never coerced: what does not match its schema is refused, with a list of all faults.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true } },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request as never, reply as never),
    clientErrorHandler: refuseConnection,
  })
}
