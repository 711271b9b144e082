import { expect, waitFor } from '@streamledger/testkit'
import { Person } from './person.ts'
import type { System } from './system.ts'

/** People who post, list and order exports for as long as the system is theirs. */
export interface People {
  all: readonly Person[]
  /** Resolves when some more postings, and an export that was ordered now, have been answered. */
  goOn(): Promise<void>
  stop(): Promise<void>
}

const POSTINGS = 40
const PATIENCE = { timeoutMs: 60_000 }

export async function startPeople({ balancer }: System, count: number): Promise<People> {
  const all = await Promise.all(Array.from({ length: count }, () => Person.signUp(balancer.url)))
  const load = new AbortController()
  const acting = Promise.all(all.map((person) => person.act(load.signal)))
  acting.catch(() => {}) // told by `stop`
  const countPosted = () => all.reduce((sum, { seen }) => sum + seen.acknowledged.length, 0)
  return {
    all,
    goOn: async () => {
      const enough = countPosted() + POSTINGS
      const visitor = all[0] as Person
      const id = await visitor.orderExport()
      expect(id).not.toBe('')
      await visitor.awaitExport(id)
      await waitFor(() => countPosted() >= enough, PATIENCE)
    },
    stop: async () => {
      load.abort()
      await acting
    },
  }
}
