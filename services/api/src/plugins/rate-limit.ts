import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { RequestError } from '../request-error.ts'
import { createClientNetwork } from './client-network.ts'
import type { Refusals } from './refusals.ts'

export interface RateLimits {
  windowS: number
  /** 0 means no limit. */
  addressMax: number
  userMax: number
  signInMax: number
}

export interface RateLimitOptions {
  limits: RateLimits
  refusals: Refusals
}

/** The smallest network that a provider gives to one customer. */
const IPV6_NETWORK_BITS = 64
const MS_PER_S = 1_000
/** Callers counted at once, 100 to 200 bytes each. Beyond that, the one seen longest ago is forgotten. */
const CALLERS_MAX = 20_000

/**
 * Limits the requests of each address, over all users and routes. Each replica counts for itself, in memory: this keeps
 * one caller from taking the whole replica, and costs almost nothing per request.
 */
export const limitAddresses = fp<RateLimitOptions>(
  async (app, { limits, refusals }) => {
    await app.register(rateLimit, { global: false })
    if (limits.addressMax === 0) return
    const keyOf = createClientNetwork(IPV6_NETWORK_BITS)
    app.addHook('onRequest', createLimit(app, { name: 'address', max: limits.addressMax, keyOf, limits, refusals }))
  },
  { name: 'limit-addresses' },
)

/** Limits the requests of each user, over all addresses. */
export const limitUsers = fp<RateLimitOptions>(
  async (app, { limits, refusals }) => {
    if (limits.userMax === 0) return
    const keyOf = ({ user }: FastifyRequest) => String(user.id)
    app.addHook('onRequest', createLimit(app, { name: 'user', max: limits.userMax, keyOf, limits, refusals }))
  },
  { name: 'limit-users', dependencies: ['limit-addresses', 'authenticate'] },
)

/** Limits the routes that hash a password, which takes hundreds of times as long as any other work. */
export function createSignInLimit(app: FastifyInstance, { limits, refusals }: RateLimitOptions) {
  if (limits.signInMax === 0) return []
  const keyOf = createClientNetwork(IPV6_NETWORK_BITS)
  return [createLimit(app, { name: 'sign-in', max: limits.signInMax, keyOf, limits, refusals })]
}

interface Limit extends RateLimitOptions {
  /** The name in the answer headers. */
  name: string
  max: number
  keyOf: (request: FastifyRequest) => string
}

function createLimit(app: FastifyInstance, { name, max, keyOf, limits, refusals }: Limit): onRequestHookHandler {
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
      const headers = { 'retry-after': String(ttlInSeconds) }
      refusals.add(() => done(new RequestError('too_many_requests', { headers })))
    }, done)
  }
}

/** draft-ietf-httpapi-ratelimit-headers-10: one item per limit, since several limits may apply to a request. */
function addItem(reply: FastifyReply, header: string, item: string): void {
  const before = reply.getHeader(header)
  reply.header(header, before === undefined ? item : `${before}, ${item}`)
}
