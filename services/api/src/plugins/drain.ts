import { sleep } from '@streamledger/runtime'
import fp from 'fastify-plugin'

const SWEEP_INTERVAL_MS = 50

export interface DrainOptions {
  /** How long all is served as ever, once the replica has said that it is not ready. */
  delayMs: number
}

/**
 * Lets clients go while the app closes. At first it serves on: a balancer goes on sending for as long as it has not seen
 * that the replica is not ready, and every answer tells its connection to close, so that none is closed on a client with a
 * request on its way. Then Node closes the connections that are idle at that moment, and would wait for every other one
 * to time out, long after its answer: they are closed as soon as they are idle. What clients asked for that have hung up
 * since is waited for too, as it still needs the database.
 */
export const drain = fp<DrainOptions>(
  async (app, { delayMs }) => {
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
      await sleep(delayMs)
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
