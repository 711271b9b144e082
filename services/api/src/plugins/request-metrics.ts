import fp from 'fastify-plugin'
import { Counter, Histogram, type Registry } from 'prom-client'
import { ERRORS } from '../errors.ts'

export interface RequestMetricsOptions {
  registry: Registry
}

const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** All unknown paths share one label, so that clients cannot create series. */
const UNMATCHED = 'unmatched'
const MS_PER_S = 1_000

const FAILURES = [...new Set(Object.values(ERRORS).map(([status]) => status))]
  .filter((status) => status >= 500)
  .map(String)
const UNPROCESSABLE = '422'

/** Measures the duration of each route by status, and counts problems by code. */
export const requestMetrics = fp<RequestMetricsOptions>(
  async (app, { registry }) => {
    const duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the request to the last byte of its answer.',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: BUCKETS_S,
      registers: [registry],
    })
    // Prometheus sees no increase in a series that first appears with its first burst. So the series that alerts read start
    // at 0: the successes, the refusals and the failures of each route.
    for (const status of FAILURES) duration.zero({ method: UNMATCHED, route: UNMATCHED, status })
    app.addHook('onRoute', ({ method, url, schema }) => {
      const documented = Object.keys(schema?.response ?? {})
      const others = documented.filter((status) => status.startsWith('2') || status === UNPROCESSABLE)
      for (const one of [method].flat().filter((one) => one !== 'HEAD')) {
        for (const status of [...others, ...FAILURES]) duration.zero({ method: one, route: url, status })
      }
    })
    const series = new Map<string, Histogram.Internal<string>>()
    const countProblem = createProblemCounter(registry)
    app.addHook('onResponse', (request, reply, done) => {
      const route = request.is404 ? UNMATCHED : (request.routeOptions.url ?? UNMATCHED)
      const method = request.is404 ? UNMATCHED : request.method
      // A cache: finding a series by its labels costs more than observing a value.
      const key = `${method} ${route} ${reply.statusCode}`
      const one = series.get(key) ?? duration.labels(method, route, String(reply.statusCode))
      series.set(key, one)
      one.observe(reply.elapsedTime / MS_PER_S)
      if (reply.problemCode !== '') countProblem(reply.problemCode)
      done()
    })
  },
  { name: 'request-metrics', dependencies: ['problem-details'] },
)

/** The codes are a fixed set, so the number of series is bounded, and each starts at 0. */
function createProblemCounter(registry: Registry): (code: string) => void {
  const counts = new Map<string, number>(Object.keys(ERRORS).map((code) => [code, 0]))
  new Counter({
    name: 'http_problems_total',
    help: 'Answers with an error, by code; docs/errors.md lists the codes.',
    labelNames: ['code'] as const,
    registers: [registry],
    collect() {
      this.reset()
      for (const [code, count] of counts) this.inc({ code }, count)
    },
  })
  // Cheap, because a flood may be refused: the counter itself is filled only when metrics are read.
  return (code) => counts.set(code, (counts.get(code) ?? 0) + 1)
}
