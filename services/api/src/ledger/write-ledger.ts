import type { LedgerTransaction, RefusalCode } from '@streamledger/db'
import type { OutboxEvent } from '@streamledger/events'
import type { Pool } from 'pg'
import type { Recorded, Refusal } from './decide.ts'
import type { WalletRead } from './read-ledger.ts'

/** What one request adds to the ledger. */
export type LedgerEntry =
  | { kind: 'transaction'; transaction: LedgerTransaction; event: OutboxEvent }
  | { kind: 'refusal'; refusal: Refusal }

export interface LedgerWrite {
  /**
   * The topic's generation when this was decided. Nothing is written if it has changed, or while the topic is paused.
   */
  generation: number
  /** Each wallet as it was decided on, and with its new values. */
  wallets: { before: WalletRead; after: WalletRead }[]
  /** In arrival order. */
  entries: LedgerEntry[]
}

export interface LedgerWritten {
  /**
   * The wallets for which nothing was written, by id: their current state, or undefined if they were locked. All other
   * wallets were written.
   */
  unwritten: Map<number, Omit<WalletRead, 'user_id' | 'currency'> | undefined>
  /** What was already recorded for an entry's trans_id, by the entry's index. */
  recorded: Map<number, Recorded>
}

interface Variant {
  /** Whether the batch has refusals. Most have none, and a statement without that part is cheaper. */
  refusals: boolean
  skipLocked: boolean
}

const REFUSED = `), refused as (
    insert into refusals (wallet_id, amount, balance, created_at, entry, code, trans_id)
    select r.wallet_id, r.amount, r.balance, r.created_at, r.entry, r.code, r.trans_id
      from request r join updated on updated.id = r.wallet_id
     where r.code is not null
  `

// One statement, one round trip, one commit. Its input may be out of date. A wallet is written only if
// - it has not changed since it was decided on, checked under its lock. Every write to a wallet raises its version, so
//   everything recorded for an unchanged wallet was recorded before that version, and the statement's snapshot has it.
//   Version, balance, sequence and time are all compared: after a fail-over that lost commits, the same version may
//   come again with another history;
// - none of its trans_ids is recorded in that snapshot;
// - the topic still has the generation that the events were made for, and is not paused.
// All other inserts depend on the wallets that were updated. Wallets come sorted by id and are locked in that order, so
// that two replicas cannot deadlock. After a wait, the lock returns the current row.
// Outbox rows are inserted in arrival order, so that their ids rise with sequence. Arrays are unnested side by side in
// the select list, which streams; in FROM, each would be stored first. The limits make each look-up one probe of a
// unique index, independent of statistics.
const write = ({ refusals, skipLocked }: Variant): string => `
  with wallet as (
    select unnest($2::bigint[]) as id, unnest($3::bigint[]) as version,
           unnest($4::bigint[]) as was_balance, unnest($5::bigint[]) as was_sequence, unnest($6::timestamptz[]) as was_updated_at,
           unnest($7::bigint[]) as balance, unnest($8::bigint[]) as sequence, unnest($9::timestamptz[]) as updated_at
  ), request as materialized (
    select generate_series(0, $10::int - 1) as place, unnest($11::bigint[]) as wallet_id,
           unnest(string_to_array($12, E'\\n')) as trans_id, unnest($13::entry[]) as entry, unnest($14::bigint[]) as amount,
           unnest($15::bigint[]) as balance, unnest($16::timestamptz[]) as created_at,
           unnest($17::bigint[]) as id, unnest($18::bigint[]) as sequence, unnest($19::int[]) as partition,
           unnest(string_to_array($20, E'\\n')) as key, unnest(string_to_array($21, E'\\n')) as payload,
           unnest(string_to_array($22, E'\\n')) as headers, unnest($23::refusal_code[]) as code
  ), recorded as materialized (
    select request.place, t.wallet_id, t.id, t.sequence, t.amount, t.balance, t.created_at, t.entry,
           null::refusal_code as code
      from request cross join lateral (
        select * from transactions where wallet_id = request.wallet_id and trans_id = request.trans_id limit 1
      ) t
    union all
    select request.place, f.wallet_id, null, null, f.amount, f.balance, f.created_at, f.entry, f.code
      from request cross join lateral (
        select * from refusals where wallet_id = request.wallet_id and trans_id = request.trans_id limit 1
      ) f
  ), locked as materialized (
    select wallet.*, now.version as now_version, now.balance as now_balance, now.sequence as now_sequence,
           now.updated_at as now_updated_at,
           (now.version, now.balance, now.sequence, now.updated_at)
             is not distinct from (wallet.version, wallet.was_balance, wallet.was_sequence, wallet.was_updated_at) as unchanged
      from wallet left join lateral (
        select version, balance, sequence, updated_at from wallets where id = wallet.id limit 1
           for no key update ${skipLocked ? 'skip locked' : ''}
      ) now on true
  ), updated as (
    update wallets w
       set balance = locked.balance, sequence = locked.sequence, updated_at = locked.updated_at, version = w.version + 1
      from locked
     where w.id = locked.id
       and locked.unchanged
       and not exists (select from recorded where recorded.wallet_id = locked.id)
       and exists (select from topic where topic.generation = $1 and not topic.paused)
    returning w.id
  ), posted as (
    insert into transactions (id, wallet_id, sequence, amount, balance, created_at, entry, trans_id)
    select r.id, r.wallet_id, r.sequence, r.amount, r.balance, r.created_at, r.entry, r.trans_id
      from request r join updated on updated.id = r.wallet_id
     where r.id is not null
  ${refusals ? REFUSED : ''}), announced as (
    insert into outbox (partition, key, payload, headers)
    select r.partition, r.key, r.payload, r.headers::json
      from request r join updated on updated.id = r.wallet_id
     where r.id is not null
     order by r.place
  )
  select id as unwritten, now_version as version, now_balance as balance, now_sequence as sequence,
         now_updated_at as updated_at, null as recorded
    from locked
   where not exists (select from updated where updated.id = locked.id)
  union all
  select null, null, null, null, null, to_json(recorded) from recorded`

/** A named statement is prepared once per connection. */
const STATEMENTS = [
  { name: 'write-ledger', refusals: false, skipLocked: false },
  { name: 'write-ledger-skip-locked', refusals: false, skipLocked: true },
  { name: 'write-ledger-refusals', refusals: true, skipLocked: false },
  { name: 'write-ledger-refusals-skip-locked', refusals: true, skipLocked: true },
].map(({ name, ...variant }) => ({ name, text: write(variant), ...variant }))

interface RecordedRow {
  place: number
  wallet_id: number
  id: number | null
  sequence: number
  amount: number
  balance: number
  created_at: string
  entry: 'credit' | 'debit'
  code: RefusalCode
}

interface Row {
  unwritten: number | null
  /** Null, like all wallet columns, if the wallet was locked and skipped. */
  version: number | null
  balance: number
  sequence: number
  updated_at: Date
  recorded: RecordedRow | null
}

/**
 * Writes a decided batch. Returns what was not written, and why. With `skipLocked`, a locked wallet is skipped, as if its
 * version had changed; otherwise the statement waits for it.
 */
export async function writeLedger(pool: Pool, write: LedgerWrite, skipLocked: boolean): Promise<LedgerWritten> {
  const refusals = write.entries.some(({ kind }) => kind === 'refusal')
  const statement = STATEMENTS.find((one) => one.refusals === refusals && one.skipLocked === skipLocked)
  if (!statement) throw new Error('there is a statement for each variant')
  const { rows } = await pool.query<Row>({
    name: statement.name,
    text: statement.text,
    values: [write.generation, ...walletColumns(write.wallets), ...entryColumns(write.entries)],
  })
  const written: LedgerWritten = { unwritten: new Map(), recorded: new Map() }
  for (const { unwritten: id, version, balance, sequence, updated_at, recorded } of rows) {
    if (recorded !== null) written.recorded.set(recorded.place, toRecorded(recorded, write.entries))
    else if (id !== null)
      written.unwritten.set(id, version === null ? undefined : { id, version, balance, sequence, updated_at })
  }
  return written
}

function toRecorded(row: RecordedRow, entries: readonly LedgerEntry[]): Recorded {
  const { place, id, sequence, code, created_at, ...rest } = row
  const entry = entries[place] as LedgerEntry
  const { trans_id } = entry.kind === 'transaction' ? entry.transaction : entry.refusal
  const first = { ...rest, trans_id, created_at: new Date(created_at) }
  if (id === null) return { kind: 'refusal', refusal: { ...first, code } }
  return { kind: 'transaction', transaction: { ...first, id, sequence } }
}

function walletColumns(wallets: LedgerWrite['wallets']): string[] {
  const sorted = wallets.toSorted((one, other) => one.after.id - other.after.id)
  return [
    array(sorted.map(({ before }) => before.id)),
    array(sorted.map(({ before }) => before.version)),
    array(sorted.map(({ before }) => before.balance)),
    array(sorted.map(({ before }) => before.sequence)),
    array(sorted.map(({ before }) => before.updated_at.toISOString())),
    array(sorted.map(({ after }) => after.balance)),
    array(sorted.map(({ after }) => after.sequence)),
    array(sorted.map(({ after }) => after.updated_at.toISOString())),
  ]
}

/** A refusal has no id, sequence or event; a transaction has no code. */
function entryColumns(entries: readonly LedgerEntry[]): (string | number)[] {
  const facts = entries.map((entry) => (entry.kind === 'transaction' ? entry.transaction : entry.refusal))
  const transactions = entries.map((entry) => (entry.kind === 'transaction' ? entry.transaction : undefined))
  const events = entries.map((entry) => (entry.kind === 'transaction' ? entry.event : undefined))
  return [
    entries.length,
    array(facts.map(({ wallet_id }) => wallet_id)),
    lines(facts.map(({ trans_id }) => trans_id)),
    array(facts.map(({ entry }) => entry)),
    array(facts.map(({ amount }) => amount)),
    array(facts.map(({ balance }) => balance)),
    array(facts.map(({ created_at }) => created_at.toISOString())),
    array(transactions.map((transaction) => transaction?.id ?? null)),
    array(transactions.map((transaction) => transaction?.sequence ?? null)),
    array(events.map((event) => event?.partition ?? null)),
    lines(events.map((event) => event?.key ?? '')),
    lines(events.map((event) => event?.payload ?? '')),
    lines(events.map((event) => event?.headers ?? '')),
    array(entries.map((entry) => (entry.kind === 'refusal' ? entry.refusal.code : null))),
  ]
}

/** An array in Postgres's text format, of values that need no quotes. */
const array = (values: readonly (string | number | null)[]): string => `{${values.map((v) => v ?? 'null').join()}}`

/** Texts joined by line breaks: no text here contains one. Cheaper on both sides than quoting an array. */
const lines = (values: readonly string[]): string => values.join('\n')
