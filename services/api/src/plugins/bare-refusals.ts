import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'

/** What Node would refuse by itself, with an empty body, is refused here like everything else, or not at all. */
export const bareRefusals = fp(
  async (app) => {
    // RFC 9112, section 3.2. Node's own look at it is turned off with `requireHostHeader`.
    app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
      const isMissing = headers.host === undefined && raw.httpVersion === '1.1'
      done(isMissing ? new RequestError('malformed_request') : undefined)
    })
    // RFC 9110, section 10.1.1: an expectation that is not known may be left out of account.
    app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  },
  { name: 'bare-refusals' },
)
