import type { Fault, FaultLog } from '../fault-log.ts'
import type { Run } from './arrivals.ts'

/** What `reconcile` looks for. */
export const TOPIC_FAULTS = {
  missing: 'a transaction that has left the outbox is in no event',
  doubled: 'a transaction is in more than one event',
  foreign: 'an event is of no transaction of this ledger',
  mismatched: 'an event says something else than its transaction',
  out_of_order: 'an event comes after a later one of the same wallet',
} as const

export type TopicFault = keyof typeof TOPIC_FAULTS
export type TopicFaultLog = FaultLog<TopicFault>

export function missingFault(wallet_id: number, { from, to }: Run): Fault<TopicFault> {
  const what = from === to ? `sequence ${from} is` : `sequences ${from} to ${to} are`
  const message = `wallet ${wallet_id}: ${what} in no event and not in the outbox`
  return { kind: 'missing', wallet_id, from_sequence: from, to_sequence: to, message }
}
