import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fp from 'fastify-plugin'
import helmet from 'helmet'

/** What every answer says to a browser. JSON needs no policy but "nothing"; the reference page brings its own. */
export const securityHeaders = fp(
  async (app) => {
    const headers = readHeaders()
    app.addHook('onRequest', (request, reply, done) => {
      reply.headers(headers).header('x-request-id', request.id)
      done()
    })
  },
  { name: 'security-headers' },
)

/** Helmet's headers depend on nothing in the request: they are asked for once, and not built anew for each answer. */
function readHeaders(): Record<string, string> {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  const setHeaders = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    // For browsers that nobody uses any more, or for pages that this service does not have.
    crossOriginEmbedderPolicy: false,
    dnsPrefetchControl: false,
    ieNoOpen: false,
    originAgentCluster: false,
    permittedCrossDomainPolicies: false,
    xssFilter: false,
    xFrameOptions: { action: 'deny' },
  })
  setHeaders(request, response, (error) => {
    if (error) throw error
  })
  return response.getHeaders() as Record<string, string>
}
