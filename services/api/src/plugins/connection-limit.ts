import { promisify } from 'node:util'
import fp from 'fastify-plugin'
import { Counter, Gauge, type Registry } from 'prom-client'

export interface ConnectionLimitOptions {
  connectionsMax: number
  registry: Registry
}

/** Whoever floods us with connections does not flood the log. */
const REFUSED_LOG_INTERVAL_MS = 1_000

/** Closes connections beyond so many at once, unanswered: each takes memory and a file descriptor, and idle ones cost nothing to hold. */
export const connectionLimit = fp<ConnectionLimitOptions>(
  async (app, { connectionsMax, registry }) => {
    const { server } = app
    const count = promisify(server.getConnections.bind(server))
    new Gauge({
      name: 'http_connections',
      help: 'Connections of clients that are open.',
      registers: [registry],
      async collect() {
        this.set(await count())
      },
    })
    const refused = new Counter({
      name: 'http_connections_refused_total',
      help: 'Connections of clients that were closed because CONNECTIONS_MAX were open.',
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
