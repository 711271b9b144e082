import { monitorEventLoopDelay } from 'node:perf_hooks'
import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'
import type { Refusals } from './refusals.ts'

export interface ShedLoadOptions {
  /** Maximum mean lag of the event loop, in ms. 0: no limit. */
  eventLoopLagMaxMs: number
  refusals: Refusals
}

const SAMPLE_INTERVAL_MS = 500
const RESOLUTION_MS = 10
const NS_PER_MS = 1e6

/**
 * Refuses new requests while the event loop is behind: clients repeat a request whose answer is late, which doubles the
 * work. Accepted requests are finished, and the ops port answers as before.
 */
export const shedLoad = fp<ShedLoadOptions>(
  async (app, { eventLoopLagMaxMs, refusals }) => {
    if (eventLoopLagMaxMs === 0) return
    const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    let lagMs = 0
    const timer = setInterval(() => {
      // No sample: the turn was longer than the interval, as the first one of a process may be. Keep the last value.
      if (delay.count > 0) lagMs = delay.mean / NS_PER_MS - RESOLUTION_MS
      delay.reset()
    }, SAMPLE_INTERVAL_MS)
    delay.enable()
    app.addHook('onClose', async () => {
      clearInterval(timer)
      delay.disable()
    })
    app.addHook('onRequest', (_request, _reply, done) => {
      if (lagMs <= eventLoopLagMaxMs) return done()
      refusals.add(() => done(new RequestError('overloaded')))
    })
  },
  { name: 'shed-load' },
)
