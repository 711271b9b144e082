import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import fp from 'fastify-plugin'
import helmet from 'helmet'

/** Adds security headers to every answer. JSON needs only the policy "none"; the reference page sets its own. */
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

/** Helmet's headers do not depend on the request, so they are built once. */
function readHeaders(): Record<string, string> {
  const request = new IncomingMessage(new Socket())
  const response = new ServerResponse(request)
  const setHeaders = helmet({
    contentSecurityPolicy: { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } },
    // For outdated browsers, or for kinds of pages that this service does not serve.
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
