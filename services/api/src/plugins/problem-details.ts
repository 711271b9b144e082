import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'
import type { Problem } from '../schemas/problem.ts'
import { describeFailure, type Failure } from './describe-failure.ts'
import { createKnownPaths, type KnownPaths } from './known-paths.ts'
import { logFailure } from './log-failure.ts'

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
      if (error === request.raw.errored) return sendProblem(new RequestError('malformed_request'), request, reply)
      // An invalid path parameter is answered 404, like an id that does not exist.
      const isPath = (error as { validationContext?: string }).validationContext === 'params'
      return sendProblem(isPath ? refusePath(knownPaths, request) : error, request, reply)
    })
  },
  { name: 'problem-details' },
)

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

export function toProblem(failure: Failure, { id, url }: Pick<FastifyRequest, 'id' | 'url'>): Problem {
  const { status, code, detail, errors, balance, fields } = failure
  return {
    type: `urn:streamledger:problem:${code}`,
    title: titleOf(code),
    status,
    detail,
    instance: pathOf(url),
    code,
    request_id: id,
    ...(errors && { errors: [...errors] }),
    ...(balance !== undefined && { balance }),
    ...(fields && { fields }),
  }
}

function refusePath(knownPaths: KnownPaths, { method, url }: FastifyRequest): RequestError {
  const methods = knownPaths.methodsOf(pathOf(url))
  if (methods.length === 0 || methods.includes(method)) return new RequestError('not_found')
  return new RequestError('method_not_allowed', { headers: { allow: methods.join(', ') } })
}

function titleOf(code: string): string {
  const words = code.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url
}
