import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifySchema } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../errors.ts'
import { findJsonFaults } from './json-faults.ts'

/** Reads bodies and parameters, before the schemas validate them. */
export const parseInput = fp(
  async (app) => {
    acceptJson(app)
    readIntegerParameters(app)
  },
  { name: 'parse-input' },
)

/** Accepts only bodies of uncompressed JSON in UTF-8 that say one thing to every reader. */
function acceptJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    // Some clients send a content type with an empty body. The schemas decide whether a body is required.
    if (body.length === 0) return done(null, undefined)
    // Decoding would turn every invalid byte into the same U+FFFD, and could make two trans_ids equal.
    if (!isUtf8(body)) return done(new ApiError('malformed_request'))
    const text = body.toString()
    return parse(request, text, (error, value) => {
      const faults = error ? [] : findJsonFaults(text)
      done(faults.length > 0 ? new ApiError('invalid_request', { errors: faults }) : error, value)
    })
  })
  app.addHook('onRequest', ({ headers, method }, _reply, done) => {
    const encoding = headers['content-encoding']
    if (encoding === undefined || encoding.toLowerCase() === 'identity' || method === 'GET' || method === 'HEAD')
      return done()
    done(new ApiError('unsupported_media_type', { headers: { 'accept-encoding': 'identity' } }))
  })
}

/** The one accepted spelling of an integer. Everything else stays a string, which the schema refuses. */
const INTEGER = /^(0|[1-9]\d{0,15})$/

/**
 * Query strings and paths are text: converts parameters whose schema is an integer, before they are validated. Ajv's
 * own coercion, which is off, would also accept " 5", "5e1" and true.
 */
function readIntegerParameters(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    const { schema } = request.routeOptions
    readIntegers(schema?.params, request.params)
    readIntegers(schema?.querystring, request.query)
  })
}

function readIntegers(schema: FastifySchema['params'], values: unknown): void {
  const { properties } = (schema ?? {}) as { properties?: Record<string, { type?: unknown }> }
  if (!properties) return
  const parameters = values as Record<string, unknown>
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value !== 'string' || !Object.hasOwn(properties, name)) continue
    if (properties[name]?.type === 'integer' && INTEGER.test(value)) parameters[name] = Number(value)
  }
}
