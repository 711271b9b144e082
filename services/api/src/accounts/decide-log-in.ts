/** What is known before the password is checked. A pair is one account and one network. */
export interface LogInCounts {
  /** Tries of the pair that failed or are under way, including this one. */
  pair_failures: number
  /** How long the pair must still wait, in s. 0: no wait. */
  pair_wait_s: number
  /** Whether there was a successful log-in to this account from this network. */
  known: boolean
  /** Failures of this account from all networks, in the current hour of counting. */
  account_failures: number
  /** Failures of this network at all accounts, in the current hour of counting, and how much of that hour is left. */
  network_failures: number
  network_ends_in_s: number
}

/** 0 means no limit. */
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
/** For networks without a successful log-in, while an account is under attack from many networks. */
const STRICT: BackOff = { free: 2, first_s: 15 * MINUTE_S, longest_s: 4 * HOUR_S }

/**
 * Decides whether a log-in may be tried, and how long the next try must wait if this one fails.
 *
 * On a network with an earlier successful log-in, only the failures of that pair count, so attacks from other networks
 * cannot lock the owner out. On other networks the limits of the account and of the network count too.
 */
export function decideLogIn(counts: LogInCounts, limits: LogInLimits): LogInDecision {
  if (counts.pair_wait_s > 0) return { kind: 'refused', wait_s: counts.pair_wait_s }
  const isSpraying = reaches(counts.network_failures, limits.networkFailuresMax)
  if (isSpraying && !counts.known) return { kind: 'refused', wait_s: counts.network_ends_in_s }
  const isAttacked = reaches(counts.account_failures, limits.accountFailuresMax)
  const backOff = isAttacked && !counts.known ? STRICT : { free: limits.pairFreeMax, ...PATIENT }
  return { kind: 'admitted', next_wait_s: waitAfter(counts.pair_failures, backOff) }
}

function reaches(failures: number, max: number): boolean {
  return max > 0 && failures >= max
}

function waitAfter(failures: number, { free, first_s, longest_s }: BackOff): number {
  return reaches(failures, free) ? Math.min(first_s * 2 ** (failures - free), longest_s) : 0
}
