import fp from 'fastify-plugin'

const SWEEP_INTERVAL_MS = 50

/**
 * Lets clients go while the app closes. Node closes the connections that are idle at that moment, and would then wait
 * for every other one to time out, long after its answer: they are told to close, and closed as soon as they are idle.
 */
export const drain = fp(
  async (app) => {
    let sweep: NodeJS.Timeout | undefined
    app.addHook('preClose', async () => {
      sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_INTERVAL_MS)
    })
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (sweep) reply.header('connection', 'close')
      done(null, payload)
    })
    app.addHook('onClose', async () => clearInterval(sweep))
  },
  { name: 'drain' },
)
