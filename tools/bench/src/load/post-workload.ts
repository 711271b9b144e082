import { signAccessToken } from '../ledger/sign-access-token.ts'
import type { Installation } from '../stack/open-installation.ts'
import { type Choice, drawPicks, type Workload } from './workload.ts'

export interface PostMix {
  readonly choice: Choice
  readonly replayEvery?: number
  readonly refuseEvery?: number
}

/** POST /transactions for these users, credits and debits in turn. */
export function postWorkload(
  { jwtSecret }: Pick<Installation, 'jwtSecret'>,
  users: readonly number[],
  { choice, replayEvery = 0, refuseEvery = 0 }: PostMix,
): Workload {
  return {
    ...{ method: 'POST', path: '/api/v1/transactions', replayEvery, refuseEvery },
    tokens: users.map((user) => signAccessToken(jwtSecret, user)),
    picks: drawPicks(choice, users.length),
  }
}
