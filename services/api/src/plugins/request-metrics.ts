import fp from 'fastify-plugin'
import { Histogram, type Registry } from 'prom-client'

export interface RequestMetricsOptions {
  registry: Registry
}

const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Paths that are nobody's share one label: clients must not be able to make up series. */
const UNMATCHED = 'unmatched'
const MS_PER_S = 1_000

/** How long each route takes, by status. */
export const requestMetrics = fp<RequestMetricsOptions>(
  async (app, { registry }) => {
    const duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the request to the last byte of its answer.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: BUCKETS_S,
      registers: [registry],
    })
    const series = new Map<string, Histogram.Internal<string>>()
    app.addHook('onResponse', (request, reply, done) => {
      const route = request.is404 ? UNMATCHED : (request.routeOptions.url ?? UNMATCHED)
      const method = request.is404 ? UNMATCHED : request.method
      // To find a series by its labels costs more than to observe.
      const key = `${method} ${route} ${reply.statusCode}`
      const one = series.get(key) ?? duration.labels(method, route, String(reply.statusCode))
      series.set(key, one)
      one.observe(reply.elapsedTime / MS_PER_S)
      done()
    })
  },
  { name: 'request-metrics' },
)
