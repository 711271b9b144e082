import type { Fault, FaultLog } from '../fault-log.ts'
import type { Run } from './arrivals.ts'

/** The faults that `reconcile` and `audit` look for. */
export const TOPIC_FAULTS = {
  missing: 'a transaction has left the outbox and has no event',
  doubled: 'a transaction has more than one event',
  foreign: 'an event belongs to no transaction of this ledger',
  mismatched: 'an event differs from its transaction',
  out_of_order: 'an event comes after a later event of the same wallet',
} as const

export type TopicFault = keyof typeof TOPIC_FAULTS
export type TopicFaultLog = FaultLog<TopicFault>

export function missingFault(wallet_id: number, { from, to }: Run): Fault<TopicFault> {
  const what = from === to ? `sequence ${from} has` : `sequences ${from} to ${to} have`
  const message = `wallet ${wallet_id}: ${what} no event and no row in the outbox`
  return { kind: 'missing', wallet_id, from_sequence: from, to_sequence: to, message }
}
