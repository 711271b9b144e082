import { readTraceContext, type Span, type TraceContext, type Tracing } from '@streamledger/tracing'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyRequest {
    /** The span of this request, if tracing is on. */
    span: Span | undefined
  }
}

export interface TraceRequestsOptions {
  tracing: Tracing | undefined
}

const SERVER_ERROR = 500

/** The trace context of a request: ours, or its caller's if tracing is off here. */
export function traceContextOf({ span, headers }: Pick<FastifyRequest, 'span' | 'headers'>): TraceContext | undefined {
  return span?.context ?? readTraceContext(headers)
}

/**
 * Adds a span for each request. Register it after the rate limits: a rejected request must cost far less than a served
 * one. Paths, queries and addresses stay out of spans: they identify people and their trans_ids.
 */
export const traceRequests = fp<TraceRequestsOptions>(
  async (app, { tracing }) => {
    app.decorateRequest('span', undefined)
    if (!tracing) return
    app.addHook('onRequest', (request, reply, done) => {
      request.span = startSpan(tracing, request)
      // Not onResponse, which is not called when a client hangs up before its answer.
      reply.raw.once('close', () => endSpan(request.span, reply))
      done()
    })
  },
  { name: 'trace-requests', dependencies: ['problem-details'] },
)

function startSpan(tracing: Tracing, { method, is404, routeOptions, headers, id, protocol }: FastifyRequest): Span {
  const route = is404 ? undefined : routeOptions.url
  return tracing.startSpan(route === undefined ? method : `${method} ${route}`, {
    kind: 'server',
    parent: readTraceContext(headers),
    attributes: {
      'http.request.method': method,
      'http.route': route,
      'url.scheme': protocol,
      'streamledger.request_id': id,
    },
  })
}

function endSpan(span: Span | undefined, reply: FastifyReply): void {
  if (!span) return
  const { statusCode, problemCode, raw } = reply
  if (raw.headersSent) span.set({ 'http.response.status_code': statusCode })
  if (reply.hasHeader('idempotent-replayed')) span.set({ 'streamledger.replayed': true })
  if (problemCode !== '') span.set({ 'error.type': problemCode })
  if (!raw.writableFinished) span.fail('client_gone')
  else if (statusCode >= SERVER_ERROR) span.fail(problemCode || String(statusCode))
  span.end()
}
