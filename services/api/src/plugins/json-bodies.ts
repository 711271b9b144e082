import { isUtf8 } from 'node:buffer'
import fp from 'fastify-plugin'
import { InputError } from '../input-error.ts'
import { RequestError } from '../request-error.ts'
import { findJsonFaults } from './json-faults.ts'

/** Accepts only bodies of uncompressed JSON in UTF-8 that say one thing to every reader. */
export const jsonBodies = fp(
  async (app) => {
    const parse = app.getDefaultJsonParser('error', 'error')
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      // Some clients send a content type with an empty body. The schemas decide whether a body is required.
      if (body.length === 0) return done(null, undefined)
      // Decoding would turn every invalid byte into the same U+FFFD, and could make two trans_ids equal.
      if (!isUtf8(body)) return done(new RequestError('malformed_request'))
      const text = body.toString()
      return parse(request, text, (error, value) => {
        const faults = error ? [] : findJsonFaults(text)
        done(faults.length > 0 ? new InputError(faults) : error, value)
      })
    })
    app.addHook('onRequest', ({ headers, method }, _reply, done) => {
      const encoding = headers['content-encoding']
      if (encoding === undefined || encoding.toLowerCase() === 'identity' || method === 'GET' || method === 'HEAD')
        return done()
      done(new RequestError('unsupported_media_type', { headers: { 'accept-encoding': 'identity' } }))
    })
  },
  { name: 'json-bodies' },
)
