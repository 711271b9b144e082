import type { ColumnType, Generated, GeneratedAlways, JSONColumnType, Kysely, Selectable, Transaction } from 'kysely'

export type Entry = 'credit' | 'debit'
export type RefusalCode = 'insufficient_funds' | 'balance_limit'
export type SecurityEventKind =
  | 'signed_up'
  | 'logged_in'
  | 'log_in_failed'
  | 'log_in_limited'
  | 'refreshed'
  | 'refresh_refused'
  | 'refresh_reused'
  | 'logged_out'
  | 'export_downloaded'
export type ExportStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'expired'

/** Postgres sets a default; code may set it too. */
type DefaultNow = ColumnType<Date, Date | undefined, Date>

export interface UsersTable {
  id: Generated<number>
  first_name: string
  last_name: string
  email: string
  password: string
  created_at: DefaultNow
}

export interface WalletsTable {
  id: Generated<number>
  user_id: number
  balance: Generated<number>
  currency: Generated<string>
  sequence: Generated<number>
  version: Generated<number>
  created_at: DefaultNow
  updated_at: DefaultNow
}

export interface SessionsTable {
  id: string
  user_id: number
  created_at: DefaultNow
  revoked_at: Date | null
}

export interface RefreshTokensTable {
  hash: Buffer
  session_id: string
  created_at: DefaultNow
  expires_at: Date
  used_at: Date | null
}

export interface LogInCountsTable {
  account: Buffer | null
  network: string | null
  failures: number
  counts_until: Date
  waits_until: Date | null
  known_until: Date | null
  expires_at: GeneratedAlways<Date>
}

export interface TransactionsTable {
  id: Generated<number>
  wallet_id: number
  sequence: number
  entry: Entry
  amount: number
  balance: number
  trans_id: string
  created_at: Date
}

export interface RefusalsTable {
  wallet_id: number
  trans_id: string
  entry: Entry
  amount: number
  code: RefusalCode
  balance: number
  created_at: Date
}

export interface InstallationTable {
  singleton: Generated<boolean>
  id: string
  system_identifier: string
  created_at: DefaultNow
  /** The timeline of Postgres's WAL. When it changes, new ids skip those of transactions that may have been lost. */
  timeline: Generated<number>
}

export interface TopicTable {
  singleton: Generated<boolean>
  name: string
  partitions: number
  generation: Generated<number>
  paused: Generated<boolean>
  paused_reason: string | null
  event_source: string
  /** The Kafka cluster and the topic's id there. Null until a relay has seen its receipts there. */
  kafka_cluster_id: string | null
  kafka_topic_id: string | null
}

export interface OutboxTable {
  partition: number
  id: Generated<number>
  xid: Generated<string>
  created_at: DefaultNow
  key: string
  payload: string
  headers: JSONColumnType<Record<string, string>>
}

export interface RelayInstancesTable {
  id: string
  started_at: DefaultNow
  heartbeat_at: DefaultNow
  failing_since: Date | null
}

export interface RelayPartitionsTable {
  partition: number
  lease_owner: string | null
  lease_token: string | null
  lease_expires_at: Date | null
  batch_seq: Generated<number>
  batch_id: string | null
  batch_last_id: number | null
  batch_snapshot: string | null
  batch_rows: number | null
  next_offset: number | null
  receipt_at: Date | null
  halted_at: Date | null
  halted_reason: string | null
  resolved_end: number | null
  floor_id: Generated<number>
  floor_next_id: number | null
  floor_next_xid: string | null
}

export interface RelayResolutionsTable {
  id: Generated<number>
  partition: number
  batch_seq: number
  batch_id: string | null
  outcome: 'published' | 'unpublished' | 'partly'
  reason: string
  resolved_by: string
  evidence: JSONColumnType<object>
  resolved_at: DefaultNow
}

export interface ClusterAdoptionsTable {
  id: Generated<number>
  from_cluster_id: string
  from_topic_id: string
  to_cluster_id: string
  to_topic_id: string
  reason: string
  adopted_by: string
  evidence: JSONColumnType<object>
  adopted_at: DefaultNow
}

export interface EventSourcesTable {
  source: string
  retired_at: DefaultNow
}

export interface OrphanedEventsTable {
  partition: number
  offset: number
  key: string | null
  payload: string | null
  headers: JSONColumnType<Record<string, string>>
  recorded_at: DefaultNow
}

export interface ExportsTable {
  id: Generated<string>
  wallet_id: number
  status: Generated<ExportStatus>
  entry: Entry | null
  from_at: Date | null
  to_at: Date | null
  as_of_sequence: number
  idempotency_key: string | null
  attempt: string | null
  rows_done: Generated<number>
  rows_total: number | null
  file: string | null
  size: number | null
  sha256: string | null
  error: string | null
  created_at: DefaultNow
  started_at: Date | null
  finished_at: Date | null
  expires_at: Date | null
}

export interface ExporterPoolsTable {
  id: string
  started_at: DefaultNow
  heartbeat_at: DefaultNow
}

export interface SecurityEventsTable {
  id: Generated<number>
  created_at: DefaultNow
  user_id: number | null
  subject: string | null
  request_id: string
  kind: SecurityEventKind
  address: string
  user_agent: string | null
}

export interface Tables {
  users: UsersTable
  wallets: WalletsTable
  sessions: SessionsTable
  log_in_counts: LogInCountsTable
  refresh_tokens: RefreshTokensTable
  transactions: TransactionsTable
  refusals: RefusalsTable
  installation: InstallationTable
  topic: TopicTable
  outbox: OutboxTable
  relay_instances: RelayInstancesTable
  relay_partitions: RelayPartitionsTable
  relay_resolutions: RelayResolutionsTable
  cluster_adoptions: ClusterAdoptionsTable
  event_sources: EventSourcesTable
  orphaned_events: OrphanedEventsTable
  exports: ExportsTable
  exporter_pools: ExporterPoolsTable
  security_events: SecurityEventsTable
}

export type Db = Kysely<Tables>
export type Trx = Transaction<Tables>

export type User = Selectable<UsersTable>
export type Wallet = Selectable<WalletsTable>
export type LedgerTransaction = Selectable<TransactionsTable>
export type Topic = Selectable<TopicTable>
export type Export = Selectable<ExportsTable>
