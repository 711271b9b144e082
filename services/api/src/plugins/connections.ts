import { promisify } from 'node:util'
import { sleep } from '@streamledger/runtime'
import fp from 'fastify-plugin'
import { Counter, Gauge, type Registry } from 'prom-client'

export interface ConnectionLimitOptions {
  connectionsMax: number
  registry: Registry
}

/** At most one log line per interval, so that a flood of connections does not flood the log. */
const REFUSED_LOG_INTERVAL_MS = 1_000

/**
 * Closes new connections without an answer while `connectionsMax` are open. Each connection takes memory and a file
 * descriptor here, while it costs a client nothing to hold many idle ones.
 */
export const connectionLimit = fp<ConnectionLimitOptions>(
  async (app, { connectionsMax, registry }) => {
    const { server } = app
    const count = promisify(server.getConnections.bind(server))
    new Gauge({
      name: 'http_connections',
      help: 'Open client connections.',
      registers: [registry],
      async collect() {
        this.set(await count())
      },
    })
    const refused = new Counter({
      name: 'http_connections_refused_total',
      help: 'Client connections that were closed at once because CONNECTIONS_MAX were open.',
      registers: [registry],
    })
    let loggedAt = Number.NEGATIVE_INFINITY
    server.maxConnections = connectionsMax
    server.on('drop', () => {
      refused.inc()
      const now = performance.now()
      if (now - loggedAt < REFUSED_LOG_INTERVAL_MS) return
      loggedAt = now
      app.log.warn({ connectionsMax }, 'connections are refused')
    })
  },
  { name: 'connection-limit' },
)

const SWEEP_INTERVAL_MS = 50

export interface DrainOptions {
  /** How long requests are served as before, after the readiness check has begun to fail. */
  delayMs: number
}

/**
 * Closes connections without losing requests while the app stops.
 *
 * - First it keeps serving for `delayMs`, because a load balancer keeps sending until it sees that the replica is not
 *   ready. Every answer has `connection: close`, so that no connection is closed while a request is on its way.
 * - Then Node closes the connections that are idle. It would leave the others open until they time out, so they are
 *   closed here as soon as they are idle.
 * - Requests whose clients have hung up are waited for too, as they still need the database.
 */
export const drain = fp<DrainOptions>(
  async (app, { delayMs }) => {
    let draining = false
    let sweep: NodeJS.Timeout | undefined
    let underWay = 0
    const settle = () => {
      underWay -= 1
    }
    app.addHook('onRoute', (route) => {
      const { handler } = route
      route.handler = function (request, reply) {
        const answer: unknown = handler.call(this, request, reply)
        if (answer instanceof Promise) {
          underWay += 1
          answer.then(settle, settle)
        }
        return answer
      }
    })
    app.addHook('preClose', async () => {
      draining = true
      await sleep(delayMs)
      sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_INTERVAL_MS)
    })
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (draining) reply.header('connection', 'close')
      done(null, payload)
    })
    app.addHook('onClose', async () => {
      clearInterval(sweep)
      while (underWay > 0) await sleep(SWEEP_INTERVAL_MS)
    })
  },
  { name: 'drain' },
)
