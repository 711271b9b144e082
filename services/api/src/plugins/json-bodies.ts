import { isUtf8 } from 'node:buffer'
import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'

/** Bodies are plain JSON in UTF-8, and nothing else. */
export const jsonBodies = fp(
  async (app) => {
    const parse = app.getDefaultJsonParser('error', 'error')
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      // Clients that name the type of every request send this with an empty one, too. The schemas know who needs a body.
      if (body.length === 0) return done(null, undefined)
      // Decoding would turn every broken byte into the same U+FFFD, and so two trans_ids into one.
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
