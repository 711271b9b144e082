import { isIP } from 'node:net'
import Type, { type Static } from 'typebox'

/** The variables that say how much of the API one caller may have. */
export const limitsEnv = {
  TRUST_PROXY: Type.Optional(
    Type.String({
      description:
        'Proxies whose X-Forwarded-For is believed: addresses, networks such as 10.0.0.0/8, `loopback`, `linklocal` or ' +
        '`uniquelocal`, separated by commas. Without it nobody is believed: behind a proxy, all callers then count as one address.',
    }),
  ),
  RATE_LIMIT_WINDOW_S: Type.Integer({
    minimum: 1,
    maximum: 3_600,
    default: 10,
    description: 'How long the requests of a caller are counted before the count begins anew, in s.',
  }),
  RATE_LIMIT_ADDRESS_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 50_000,
    description:
      'Requests from one address that one replica takes in that time; one more is answered 429. 0: any number.',
  }),
  RATE_LIMIT_USER_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 20_000,
    description: 'Requests of one user that one replica takes in that time; one more is answered 429. 0: any number.',
  }),
  RATE_LIMIT_SIGN_IN_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 200,
    description:
      'Sign-ups and log-ins from one address that one replica takes in that time, since each takes a core for 20 to 40 ms; ' +
      'one more is answered 429. 0: any number.',
  }),
  LOG_IN_FREE_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 10,
    description:
      'Wrong passwords for one account from one address before each further try waits: 1 s, then twice as long each time, ' +
      'up to 15 min. 0: any number.',
  }),
  LOG_IN_ACCOUNT_FAILURES_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 50,
    description:
      'Wrong passwords for one account in an hour, from all addresses, before addresses that nobody has logged in to it from ' +
      'have two tries and then wait for 15 min to 4 h. 0: any number.',
  }),
  LOG_IN_ADDRESS_FAILURES_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 100,
    description:
      'Wrong passwords from one address in an hour, for all accounts, before it is refused for the rest of it, but for accounts ' +
      'that somebody has logged in to from there. 0: any number.',
  }),
  EVENT_LOOP_LAG_MAX_MS: Type.Integer({
    minimum: 0,
    maximum: 60_000,
    default: 500,
    description:
      'How late a turn of the event loop may be, in the mean of half a second, before requests are answered 503 until it is not, ' +
      'in ms. 0: any.',
  }),
}

const limitsSchema = Type.Object(limitsEnv)

/** @throws Error when TRUST_PROXY lists what is neither an address nor a network, or trusts everybody. */
export function readLimitsConfig(vars: Static<typeof limitsSchema>) {
  return {
    trustedProxies: readTrustedProxies(vars.TRUST_PROXY ?? ''),
    windowS: vars.RATE_LIMIT_WINDOW_S,
    addressMax: vars.RATE_LIMIT_ADDRESS_MAX,
    userMax: vars.RATE_LIMIT_USER_MAX,
    signInMax: vars.RATE_LIMIT_SIGN_IN_MAX,
    eventLoopLagMaxMs: vars.EVENT_LOOP_LAG_MAX_MS,
    logIn: {
      pairFreeMax: vars.LOG_IN_FREE_MAX,
      accountFailuresMax: vars.LOG_IN_ACCOUNT_FAILURES_MAX,
      networkFailuresMax: vars.LOG_IN_ADDRESS_FAILURES_MAX,
    },
  } as const
}

const NAMED_NETWORKS = new Set(['loopback', 'linklocal', 'uniquelocal'])
const PREFIX = /^\d{1,3}$/

function readTrustedProxies(list: string): string[] {
  const proxies = list.split(',').flatMap((entry) => entry.trim() || [])
  if (!proxies.every(isNetwork)) {
    throw new Error(
      'configuration: TRUST_PROXY must list addresses, networks such as 10.0.0.0/8 (never all addresses, /0), ' +
        'loopback, linklocal or uniquelocal, separated by commas. A number of hops is not taken: it would believe ' +
        'whoever reaches this service without a proxy',
    )
  }
  return proxies
}

function isNetwork(entry: string): boolean {
  if (NAMED_NETWORKS.has(entry)) return true
  const [address = '', prefix, ...rest] = entry.split('/')
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0
  if (bits === 0 || address.includes('%') || rest.length > 0) return false
  return prefix === undefined || (PREFIX.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= bits)
}
