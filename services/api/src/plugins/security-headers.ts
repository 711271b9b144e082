import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'

/** What every answer says to a browser. JSON needs no policy but "nothing"; the reference page brings its own. */
export const securityHeaders = fp(
  async (app) => {
    await app.register(helmet, {
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
    app.addHook('onRequest', async (request, reply) => {
      reply.header('x-request-id', request.id)
    })
  },
  { name: 'security-headers' },
)
