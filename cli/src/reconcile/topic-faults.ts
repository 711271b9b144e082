import type { FaultLog } from '../fault-log.ts'

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
