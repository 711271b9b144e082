import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { describeError } from '@streamledger/runtime'
import { traceFields } from '@streamledger/tracing'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError, type ErrorCode } from '../errors.ts'
import type { Problem } from '../schemas/problem.ts'
import { describeFailure, type Failure } from './describe-failure.ts'
import { createKnownPaths, type KnownPaths } from './known-paths.ts'
import { traceContextOf } from './trace-requests.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** The code of the answer if it is a problem; otherwise empty. */
    problemCode: string
  }
}

/**
 * Sends every answer that is not a success as RFC 9457 problem details. Register it before the routes: it collects
 * their paths.
 */
export const problemDetails = fp(
  async (app) => {
    const knownPaths = createKnownPaths()
    app.decorateReply('problemCode', '')
    app.addHook('onRoute', ({ method, url }) => knownPaths.add(method, url))
    // Refuse an unknown path before its body is parsed: a fault in the body must not hide the 404.
    app.addHook('preParsing', (request, _reply, payload, done) => {
      if (request.is404) done(refusePath(knownPaths, request))
      else done(null, payload)
    })
    app.setNotFoundHandler((request, reply) => sendProblem(refusePath(knownPaths, request), request, reply))
    app.setErrorHandler((error, request, reply) => {
      // A client that hangs up causes an ECONNRESET, which must not be taken for one of the database.
      if (error === request.raw.errored) return sendProblem(new ApiError('malformed_request'), request, reply)
      // An invalid path parameter is answered 404, like an id that does not exist.
      const isPath = (error as { validationContext?: string }).validationContext === 'params'
      return sendProblem(isPath ? refusePath(knownPaths, request) : error, request, reply)
    })
  },
  { name: 'problem-details' },
)

function refusePath(knownPaths: KnownPaths, { method, url }: FastifyRequest): ApiError {
  const methods = knownPaths.methodsOf(pathOf(url))
  if (methods.length === 0 || methods.includes(method)) return new ApiError('not_found')
  return new ApiError('method_not_allowed', { headers: { allow: methods.join(', ') } })
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = describeFailure(error)
  logFailure(request, error, failure)
  reply.problemCode = failure.code
  return reply
    .code(failure.status)
    .headers({ 'x-request-id': request.id, ...failure.headers })
    .type('application/problem+json')
    .send(toProblem(failure, request))
}

function toProblem(failure: Failure, { id, url }: Pick<FastifyRequest, 'id' | 'url'>): Problem {
  const { status, code, detail, more } = failure
  return {
    type: `urn:streamledger:problem:${code}`,
    title: titleOf(code),
    status,
    detail,
    instance: pathOf(url),
    code,
    request_id: id,
    ...more,
  }
}

function titleOf(code: string): string {
  const words = code.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url
}

/** While the database is down, every request fails the same way, so one line per second is enough. */
const UNAVAILABLE_INTERVAL_MS = 1_000
let unavailableLoggedAt = Number.NEGATIVE_INFINITY

/** Logs each internal error, and, at most once per second, that requests are answered 503. */
function logFailure(request: FastifyRequest, error: unknown, { status, code }: Failure): void {
  if (status < 500) return
  const now = performance.now()
  if (status !== 500) {
    if (now - unavailableLoggedAt < UNAVAILABLE_INTERVAL_MS) return
    unavailableLoggedAt = now
  }
  const { id, log } = request
  const facts = { request_id: id, ...traceFields(traceContextOf(request)), fault: describeError(error) }
  if (status === 500) log.error(facts, 'request failed')
  else log.warn({ ...facts, code }, 'requests are answered 503')
}

const UNREADABLE: Record<string, ErrorCode> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}

/** Sends problem details for a request that could not be read (invalid, too large, too late), and closes the connection. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const failure = describeFailure(new ApiError(UNREADABLE[error.code ?? ''] ?? 'malformed_request'))
  const id = randomUUID()
  const body = JSON.stringify(toProblem(failure, { id, url: '' }))
  socket.end(
    [
      `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      `X-Request-Id: ${id}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  )
}
