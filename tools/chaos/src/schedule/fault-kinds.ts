/** The kinds of faults, and their number among a hundred faults. */
export const FAULT_KINDS = {
  relay_killed: { share: 16, what: 'a relay is killed' },
  relay_paused: { share: 14, what: 'a relay is paused for longer than its lease' },
  api_killed: { share: 9, what: 'an API is killed with requests in flight' },
  api_paused: { share: 9, what: 'an API is paused with requests in flight' },
  broker_killed: { share: 3, what: 'the broker is killed and restarted' },
  broker_stopped: { share: 3, what: 'the broker is shut down and restarted' },
  postgres_killed: { share: 3, what: 'Postgres is killed and restarted' },
  postgres_stopped: { share: 3, what: 'Postgres is shut down (fast) and restarted' },
  exporter_killed: { share: 7, what: 'an exporter is killed' },
  exporter_paused: { share: 3, what: 'an exporter is paused' },
  api_database_cut: { share: 3, what: 'the connections from an API to Postgres are cut' },
  api_database_hung: { share: 3, what: 'the connections from an API to Postgres are silent for a while' },
  relay_database_cut: { share: 3, what: 'the connections from a relay to Postgres are cut' },
  relay_database_hung: { share: 3, what: 'the connections from a relay to Postgres are silent for a while' },
  relay_broker_cut: { share: 4, what: 'the connections from a relay to the broker are cut' },
  relay_broker_hung: { share: 4, what: 'the connections from a relay to the broker are silent for a while' },
  relay_scaled: { share: 6, what: 'relays are added or drained' },
  api_scaled: { share: 4, what: 'APIs are added or drained' },
} as const

export type FaultKind = keyof typeof FAULT_KINDS

export const faultKinds = Object.keys(FAULT_KINDS) as FaultKind[]

export interface Minimum {
  name: string
  kinds: readonly FaultKind[]
  count: number
}

/** Minimums of confirmed faults for a campaign of a thousand faults. */
export const CAMPAIGN_FAULTS = 1_000
export const MINIMUMS: readonly Minimum[] = [
  { name: 'relay killed', kinds: ['relay_killed'], count: 100 },
  { name: 'relay paused past its lease', kinds: ['relay_paused'], count: 100 },
  { name: 'API killed or paused in a batch', kinds: ['api_killed', 'api_paused'], count: 100 },
  { name: 'broker restarted', kinds: ['broker_killed', 'broker_stopped'], count: 50 },
  { name: 'Postgres restarted', kinds: ['postgres_killed', 'postgres_stopped'], count: 50 },
  { name: 'exporter killed', kinds: ['exporter_killed'], count: 50 },
]
