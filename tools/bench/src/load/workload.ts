/** How requests choose among the users. */
export type Choice = 'uniform' | 'zipf' | 'hot'

/** What the load generators send; the same for wrk, autocannon and the open loop. */
export interface Workload {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** The access token of each user. */
  readonly tokens: readonly string[]
  /** The user of each request; repeated from the start when used up. */
  readonly picks: readonly number[]
  /** Every n-th request repeats an earlier one with its trans_id; 0: never. */
  readonly replayEvery: number
  /** Every n-th request debits more than any wallet holds; 0: never. */
  readonly refuseEvery: number
}

/** Enough that the order of wallets does not repeat within a batch, and few enough to write to a file. */
const PICKS = 65_536
/** Classic Zipf: the second most popular wallet gets half the requests of the first. */
const ZIPF_EXPONENT = 1

/** Draws the users of a workload; the same seed draws the same. */
export function drawPicks(choice: Choice, users: number, seed = 1): number[] {
  const random = createRandom(seed)
  if (choice === 'hot') return [0]
  if (choice === 'uniform') return Array.from({ length: PICKS }, () => Math.floor(random() * users))
  const bounds = zipfBounds(users)
  return Array.from({ length: PICKS }, () => firstAbove(bounds, random()))
}

/** The upper bound of each user's part of the range from 0 to 1. */
function zipfBounds(users: number): number[] {
  const weights = Array.from({ length: users }, (_, index) => (index + 1) ** -ZIPF_EXPONENT)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let bound = 0
  return weights.map((weight) => {
    bound += weight / total
    return bound
  })
}

function firstAbove(bounds: readonly number[], value: number): number {
  let [low, high] = [0, bounds.length - 1]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((bounds[middle] as number) > value) high = middle
    else low = middle + 1
  }
  return low
}

/** Mulberry32: small, fast, and the same on every machine. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
