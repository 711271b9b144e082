import type { PostTransaction } from './decide.ts'
import type { Posted } from './posting.ts'

/** A posting that is not answered yet. */
export interface Waiting {
  request: PostTransaction
  /** When it is answered 503 at the latest, by performance.now(). */
  deadline: number
  /** Its batch failed for one row in it: it goes by itself, so that nobody fails for a neighbour. */
  alone: boolean
  /** Its batch waited too long for a wallet that somebody else has locked: it does not wait for locks any more. */
  impatient: boolean
  /** Why it is not answered yet, if it was tried. */
  failure?: unknown
  resolve(posted: Posted): void
  reject(error: Error): void
}

/** Keeps postings in the order of their arrival, and each user's in one batch at a time. */
export function createWaitingRoom(waitingMax: number) {
  let waiting: Waiting[] = []
  /** Users with a posting under way: their next ones wait for it, which keeps their order. */
  const underway = new Set<number>()

  return {
    get size(): number {
      return waiting.length
    },

    /** Those who go again come back all the same. */
    get isFull(): boolean {
      return waiting.length >= waitingMax
    },

    add(entry: Waiting): void {
      waiting.push(entry)
    },

    /** The next batch: those who came first, of users who have nothing under way. */
    take(rowsMax: number): Waiting[] {
      const batch: Waiting[] = []
      const rest: Waiting[] = []
      const passedOver = new Set<number>()
      for (const entry of waiting) {
        const user = entry.request.user_id
        const fits = batch.length === 0 || (batch.length < rowsMax && !entry.alone && !batch[0]?.alone)
        if (fits && !underway.has(user) && !passedOver.has(user)) batch.push(entry)
        else {
          // Whoever is passed over holds back everyone of the same user behind it.
          passedOver.add(user)
          rest.push(entry)
        }
      }
      waiting = rest
      for (const { request } of batch) underway.add(request.user_id)
      return batch
    },

    /** These are under way no more; those of them that go again stand at the front, in their order. */
    giveBack(entries: readonly Waiting[], again: readonly Waiting[]): void {
      for (const { request } of entries) underway.delete(request.user_id)
      waiting = [...again, ...waiting]
    },

    /** Takes out those whose time is up. */
    takeOverdue(now: number): Waiting[] {
      const overdue = waiting.filter((entry) => entry.deadline <= now)
      if (overdue.length > 0) waiting = waiting.filter((entry) => entry.deadline > now)
      return overdue
    },
  }
}
