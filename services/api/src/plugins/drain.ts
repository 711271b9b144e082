import { sleep } from '@streamledger/runtime'
import fp from 'fastify-plugin'

const SWEEP_INTERVAL_MS = 50
/** How long clients are told to close their connections before any is closed on them with a request on its way. */
const GRACE_MS = 500

/**
 * Lets clients go while the app closes. Node closes the connections that are idle at that moment, and would then wait
 * for every other one to time out, long after its answer: they are told to close, and closed as soon as they are idle. What
 * clients asked for that have hung up since is waited for too, as it still needs the database.
 */
export const drain = fp(
  async (app) => {
    let draining = false
    let sweep: NodeJS.Timeout | undefined
    let underWay = 0
    const settle = () => {
      underWay -= 1
    }
    app.addHook('onRoute', (route) => {
      const { handler } = route
      route.handler = function (request, reply) {
        const answer: unknown = handler.call(this, request, reply)
        if (answer instanceof Promise) {
          underWay += 1
          answer.then(settle, settle)
        }
        return answer
      }
    })
    app.addHook('preClose', async () => {
      draining = true
      await sleep(GRACE_MS)
      sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_INTERVAL_MS)
    })
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (draining) reply.header('connection', 'close')
      done(null, payload)
    })
    app.addHook('onClose', async () => {
      clearInterval(sweep)
      while (underWay > 0) await sleep(SWEEP_INTERVAL_MS)
    })
  },
  { name: 'drain' },
)
