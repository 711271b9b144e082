import { isIP } from 'node:net'
import Type, { type Static } from 'typebox'

/** The variables that limit how much of the API one caller may use. */
export const limitsEnv = {
  TRUST_PROXY: Type.Optional(
    Type.String({
      description:
        'Proxies whose X-Forwarded-For is trusted: addresses, networks such as 10.0.0.0/8, `loopback`, `linklocal` or ' +
        '`uniquelocal`, separated by commas. If it is not set, X-Forwarded-For is ignored: behind a proxy, all callers ' +
        'then count as one address.',
    }),
  ),
  RATE_LIMIT_WINDOW_S: Type.Integer({
    minimum: 1,
    maximum: 3_600,
    default: 10,
    description: 'Length of the window in which the requests of a caller are counted, in s.',
  }),
  RATE_LIMIT_ADDRESS_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 50_000,
    description:
      'Maximum requests from one address to one replica per RATE_LIMIT_WINDOW_S; one more is answered 429. 0: no limit.',
  }),
  RATE_LIMIT_USER_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 20_000,
    description:
      'Maximum requests of one user to one replica per RATE_LIMIT_WINDOW_S; one more is answered 429. 0: no limit.',
  }),
  RATE_LIMIT_SIGN_IN_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 200,
    description:
      'Maximum sign-ups and log-ins from one address to one replica per RATE_LIMIT_WINDOW_S; one more is answered 429. ' +
      'Each takes one core for 20 to 40 ms. 0: no limit.',
  }),
  LOG_IN_FREE_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 10,
    description:
      'Wrong passwords for one account from one address before each further try must wait: 1 s, then twice as long each ' +
      'time, up to 15 min. 0: no limit.',
  }),
  LOG_IN_ACCOUNT_FAILURES_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 50,
    description:
      'Wrong passwords for one account in an hour, from all addresses, before addresses without an earlier log-in to that ' +
      'account get two tries and then must wait for 15 min to 4 h. 0: no limit.',
  }),
  LOG_IN_ADDRESS_FAILURES_MAX: Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    default: 100,
    description:
      'Wrong passwords from one address in an hour, for all accounts, before its log-ins are refused for the rest of that ' +
      'hour. Accounts with an earlier log-in from that address are exempt. 0: no limit.',
  }),
  EVENT_LOOP_LAG_MAX_MS: Type.Integer({
    minimum: 0,
    maximum: 60_000,
    default: 500,
    description:
      'Maximum event loop lag, as the mean over half a second, in ms. While it is higher, requests are answered 503. ' +
      '0: no limit.',
  }),
}

const limitsSchema = Type.Object(limitsEnv)

/**
 * @throws Error when TRUST_PROXY has an entry that is neither an address nor a network, or that covers all addresses.
 */
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
        'loopback, linklocal or uniquelocal, separated by commas. A number of hops is not allowed: it would trust clients ' +
        'that reach this service without a proxy (example: 10.0.0.0/8,loopback)',
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
