import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'

/**
 * Handles two cases that Node would answer itself with an empty body: a missing Host header, and an unknown Expect
 * header.
 */
export const bareRefusals = fp(
  async (app) => {
    // RFC 9112, section 3.2. Node's own check is turned off with `requireHostHeader`.
    app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
      const isMissing = headers.host === undefined && raw.httpVersion === '1.1'
      done(isMissing ? new RequestError('malformed_request') : undefined)
    })
    // RFC 9110, section 10.1.1: a server may ignore an unknown expectation.
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  },
  { name: 'bare-refusals' },
)
