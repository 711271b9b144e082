import { monitorEventLoopDelay } from 'node:perf_hooks'
import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../errors.ts'
import { authenticate } from './authenticate.ts'
import { createClientNetwork } from './client-network.ts'

export interface GuardOptions {
  limits: {
    windowS: number
    /** Maximum number of requests per window. 0: no limit. */
    addressMax: number
    userMax: number
    signInMax: number
    /** Maximum mean lag of the event loop, in ms. 0: no limit. */
    eventLoopLagMaxMs: number
    trustedProxies: readonly string[]
  }
  turns: RefusalTurns
}

/** What every request must pass, in this order. A request that is refused here must cost far less than one that is served. */
export const guard = fp<GuardOptions>(
  async (app, options) => {
    await app.register(rateLimit, { global: false })
    requireHost(app)
    refuseWhileOverloaded(app, options)
    warnAboutUntrustedProxy(app, options)
    limitAddresses(app, options)
  },
  { name: 'guard' },
)

/** What a request of a user must pass after that. Sets `request.user`. */
export const guardUsers = fp<GuardOptions & { secrets: readonly string[] }>(
  async (app, { secrets, ...options }) => {
    authenticate(app, secrets)
    limitUsers(app, options)
  },
  { name: 'guard-users', dependencies: ['guard', 'access-tokens'] },
)

/**
 * Handles two cases that Node would answer itself with an empty body: a missing Host header, and an unknown Expect
 * header.
 */
function requireHost(app: FastifyInstance): void {
  // RFC 9112, section 3.2. Node's own check is turned off with `requireHostHeader`.
  app.addHook('onRequest', ({ headers, raw }, _reply, done) => {
    const isMissing = headers.host === undefined && raw.httpVersion === '1.1'
    done(isMissing ? new ApiError('malformed_request') : undefined)
  })
  // RFC 9110, section 10.1.1: a server may ignore an unknown expectation.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
}

const SAMPLE_INTERVAL_MS = 500
const RESOLUTION_MS = 10
const NS_PER_MS = 1e6

/**
 * Refuses new requests while the event loop is behind: clients repeat a request whose answer is late, which doubles the
 * work. Accepted requests are finished, and the ops port answers as before.
 */
function refuseWhileOverloaded(app: FastifyInstance, { limits: { eventLoopLagMaxMs }, turns }: GuardOptions): void {
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
    turns.refuse(() => done(new ApiError('overloaded')))
  })
}

/** Warns once that requests come through an untrusted proxy: the limits then count all its clients as one address. */
function warnAboutUntrustedProxy(app: FastifyInstance, { limits: { trustedProxies } }: GuardOptions): void {
  if (trustedProxies.length > 0) return
  let warned = false
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    if (!warned && headers['x-forwarded-for'] !== undefined) {
      warned = true
      app.log.warn('requests have X-Forwarded-For, which is ignored because TRUST_PROXY is not set')
    }
    done()
  })
}

/** The smallest network that a provider gives to one customer. */
const IPV6_NETWORK_BITS = 64

/** Limits the requests of each address, over all users and routes. */
function limitAddresses(app: FastifyInstance, options: GuardOptions): void {
  const { addressMax: max } = options.limits
  if (max === 0) return
  const keyOf = createClientNetwork(IPV6_NETWORK_BITS)
  app.addHook('onRequest', createLimit(app, { name: 'address', max, keyOf, ...options }))
}

/** Limits the requests of each user, over all addresses. */
function limitUsers(app: FastifyInstance, options: GuardOptions): void {
  const { userMax: max } = options.limits
  if (max === 0) return
  const keyOf = ({ user }: FastifyRequest) => String(user.id)
  app.addHook('onRequest', createLimit(app, { name: 'user', max, keyOf, ...options }))
}

/** For the routes that hash a password, which takes hundreds of times as long as any other work. */
export function createSignInLimit(app: FastifyInstance, options: GuardOptions): onRequestHookHandler[] {
  const { signInMax: max } = options.limits
  if (max === 0) return []
  return [createLimit(app, { name: 'sign-in', max, keyOf: createClientNetwork(IPV6_NETWORK_BITS), ...options })]
}

const MS_PER_S = 1_000
/** Callers counted at once, 100 to 200 bytes each. Beyond that, the one seen longest ago is forgotten. */
const CALLERS_MAX = 20_000

interface Limit extends GuardOptions {
  /** The name in the answer headers. */
  name: string
  max: number
  keyOf: (request: FastifyRequest) => string
}

/**
 * Each replica counts for itself, in memory: this keeps one caller from taking the whole replica, and costs almost
 * nothing per request.
 */
function createLimit(app: FastifyInstance, { name, max, keyOf, limits, turns }: Limit): onRequestHookHandler {
  const options = { max, timeWindow: limits.windowS * MS_PER_S, cache: CALLERS_MAX, keyGenerator: keyOf }
  const count = app.createRateLimit(options)
  const policy = `"${name}";q=${max};w=${limits.windowS}`

  return (request, reply, done) => {
    count(request).then((counted) => {
      if (counted.isAllowed) return done()
      const { remaining, ttlInSeconds, isExceeded } = counted
      addItem(reply, 'ratelimit-policy', policy)
      addItem(reply, 'ratelimit', `"${name}";r=${remaining};t=${ttlInSeconds}`)
      if (!isExceeded) return done()
      turns.refuse(() => done(new ApiError('too_many_requests', { waitS: ttlInSeconds })))
    }, done)
  }
}

/** draft-ietf-httpapi-ratelimit-headers-10: one item per limit, since several limits may apply to a request. */
function addItem(reply: FastifyReply, header: string, item: string): void {
  const before = reply.getHeader(header)
  reply.header(header, before === undefined ? item : `${before}, ${item}`)
}

/**
 * Requests refused per turn of the event loop. They take a few milliseconds, in which accepted requests are not
 * served.
 */
const REFUSED_A_TURN_MAX = 64

export type RefusalTurns = ReturnType<typeof createRefusalTurns>

/**
 * Spreads refusals by rate limits, load and a full queue over turns of the event loop. A flood would otherwise fill
 * each turn with thousands of them while the database is idle: its answers are read once per turn. This also slows down
 * a client that floods over open connections. No more refusals wait here than there are requests on open connections.
 */
export function createRefusalTurns() {
  let waiting: (() => void)[] = []
  let scheduled = false

  function takeTurn(): void {
    const refused = waiting.slice(0, REFUSED_A_TURN_MAX)
    waiting = waiting.slice(REFUSED_A_TURN_MAX)
    scheduled = waiting.length > 0
    if (scheduled) setImmediate(takeTurn)
    for (const refuse of refused) refuse()
  }

  return {
    refuse(refuse: () => void): void {
      waiting.push(refuse)
      if (scheduled) return
      scheduled = true
      setImmediate(takeTurn)
    },
  }
}
