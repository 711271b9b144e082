import type { PostTransaction } from './decide.ts'
import type { Posted } from './posting.ts'

/** A posting that is not answered yet. */
export interface Waiting {
  request: PostTransaction
  /** When it is answered 503 at the latest, on the clock of performance.now(). */
  deadline: number
  /** One row made its batch fail: it is retried in a batch of its own, so that no other request fails with it. */
  alone: boolean
  /** Its batch waited too long for a locked wallet: retries skip locked wallets. */
  impatient: boolean
  /** Why the last try failed, if there was one. */
  failure?: unknown
  resolve(posted: Posted): void
  reject(error: Error): void
}

/** A queue of postings in the order of their arrival. A user's postings are in one batch at a time. */
export function createWaitingRoom(waitingMax: number) {
  let waiting: Waiting[] = []
  /** Users with a posting under way: their later ones wait for it, which keeps their order. */
  const underway = new Set<number>()

  return {
    get size(): number {
      return waiting.length
    },

    /** Only for new postings: retries may exceed the maximum. */
    get isFull(): boolean {
      return waiting.length >= waitingMax
    },

    add(entry: Waiting): void {
      waiting.push(entry)
    },

    /** Takes the next batch: the oldest postings of users that have none under way. */
    take(rowsMax: number): Waiting[] {
      const batch: Waiting[] = []
      const rest: Waiting[] = []
      const passedOver = new Set<number>()
      for (const entry of waiting) {
        const user = entry.request.user_id
        const fits = batch.length === 0 || (batch.length < rowsMax && !entry.alone && !batch[0]?.alone)
        if (fits && !underway.has(user) && !passedOver.has(user)) batch.push(entry)
        else {
          // A posting that is passed over holds back all later ones of the same user.
          passedOver.add(user)
          rest.push(entry)
        }
      }
      waiting = rest
      for (const { request } of batch) underway.add(request.user_id)
      return batch
    },

    /** Marks these as no longer under way, and puts the ones to retry at the front, in their order. */
    giveBack(entries: readonly Waiting[], again: readonly Waiting[]): void {
      for (const { request } of entries) underway.delete(request.user_id)
      waiting = [...again, ...waiting]
    },

    /** Takes out the postings whose deadline has passed. */
    takeOverdue(now: number): Waiting[] {
      const overdue = waiting.filter((entry) => entry.deadline <= now)
      if (overdue.length > 0) waiting = waiting.filter((entry) => entry.deadline > now)
      return overdue
    },
  }
}
