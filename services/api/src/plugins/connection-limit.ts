import { promisify } from 'node:util'
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
