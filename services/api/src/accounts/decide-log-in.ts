/** What is known before a password is looked at. */
export interface LogInCounts {
  /** This account from this network: tries that failed or are under way, this one included. */
  pair_failures: number
  /** How long the pair must still wait, in s; 0 when it need not. */
  pair_wait_s: number
  /** Whether somebody has logged in to this account from this network. */
  known: boolean
  /** This account, from anywhere, in the hour that is counted. */
  account_failures: number
  /** This network, at any account, in the hour that is counted, and how much is left of that. */
  network_failures: number
  network_ends_in_s: number
}

/** 0 in any of these: any number. */
export interface LogInLimits {
  pairFreeMax: number
  accountFailuresMax: number
  networkFailuresMax: number
}

export type LogInDecision = { kind: 'refused'; wait_s: number } | { kind: 'admitted'; next_wait_s: number }

interface BackOff {
  /** Tries before the first wait. */
  free: number
  first_s: number
  longest_s: number
}

const MINUTE_S = 60
const HOUR_S = 3_600
const PATIENT = { first_s: 1, longest_s: 15 * MINUTE_S }
/** While an account is under attack from many networks, for those that nobody has logged in from. */
const STRICT: BackOff = { free: 2, first_s: 15 * MINUTE_S, longest_s: 4 * HOUR_S }

/**
 * Decides whether a log-in may be tried, and how long the one after it must wait if it fails.
 *
 * Where somebody has logged in before, only what was tried from there counts: whatever strangers do elsewhere, an owner
 * gets in. Where nobody has, they wait, and get their turn.
 */
export function decideLogIn(counts: LogInCounts, limits: LogInLimits): LogInDecision {
  if (counts.pair_wait_s > 0) return { kind: 'refused', wait_s: counts.pair_wait_s }
  const isSpraying = reaches(counts.network_failures, limits.networkFailuresMax)
  if (isSpraying && !counts.known) return { kind: 'refused', wait_s: counts.network_ends_in_s }
  const isAttacked = reaches(counts.account_failures, limits.accountFailuresMax)
  const backOff = isAttacked && !counts.known ? STRICT : { free: limits.pairFreeMax, ...PATIENT }
  return { kind: 'admitted', next_wait_s: waitAfter(counts.pair_failures, backOff) }
}

export function reaches(failures: number, max: number): boolean {
  return max > 0 && failures >= max
}

function waitAfter(failures: number, { free, first_s, longest_s }: BackOff): number {
  return reaches(failures, free) ? Math.min(first_s * 2 ** (failures - free), longest_s) : 0
}
