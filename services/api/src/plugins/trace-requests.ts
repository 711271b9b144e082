import { readTraceContext, type Span, type TraceContext, type Tracing } from '@streamledger/tracing'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../errors.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The span of this request, if tracing is on. */
    span: Span | undefined
  }
  interface FastifyInstance {
    /** Undefined if tracing is off. */
    tracing: Tracing | undefined
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
    app.decorate('tracing', tracing)
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

export interface MessageDestination {
  system: 'kafka' | 'graphile_worker'
  /** The topic, or the task. */
  destination: string
}

/**
 * Runs a function that writes a message for another service, in its own span if tracing is on. `run` must store the
 * trace context it gets with the message: OpenTelemetry calls it the message's creation context.
 */
export async function createMessage<T>(
  request: FastifyRequest,
  { system, destination }: MessageDestination,
  run: (trace: TraceContext | undefined) => Promise<T>,
): Promise<T> {
  const parent = traceContextOf(request)
  const span = request.server.tracing?.startSpan(`create ${destination}`, {
    kind: 'producer',
    parent,
    attributes: {
      'messaging.system': system,
      'messaging.operation.name': 'create',
      'messaging.operation.type': 'create',
      'messaging.destination.name': destination,
    },
  })
  if (!span) return run(parent)
  try {
    return await run(span.context)
  } catch (error) {
    // A refusal is a normal outcome, not a failure of the service.
    if (error instanceof ApiError) span.set({ 'streamledger.refusal': error.code })
    else span.fail('not_written')
    throw error
  } finally {
    span.end()
  }
}
