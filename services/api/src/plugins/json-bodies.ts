import { isUtf8 } from 'node:buffer'
import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'

/** Accepts only bodies of uncompressed JSON in UTF-8. */
export const jsonBodies = fp(
  async (app) => {
    const parse = app.getDefaultJsonParser('error', 'error')
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      // Some clients send a content type with an empty body. The schemas decide whether a body is required.
      if (body.length === 0) return done(null, undefined)
      // Decoding would turn every invalid byte into the same U+FFFD, and could make two trans_ids equal.
      if (!isUtf8(body)) return done(new RequestError('malformed_request'))
      return parse(request, body.toString(), done)
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
