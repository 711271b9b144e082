import type { Entry } from '@streamledger/db'
import { type PostedTransaction, transactionPosted } from '@streamledger/events'
import type { Pool } from 'pg'
import type { TopicRow } from './read-topic-row.ts'

/** An event as it was read from the outbox or the topic. It may have any content: nothing about it is checked yet. */
export interface EventRecord {
  partition: number
  key: string | null
  value: string | null
  headers: Readonly<Record<string, string>>
}

interface Difference {
  /** `foreign`: the event belongs to no transaction of this ledger. `mismatched`: it differs from its transaction. */
  kind: 'foreign' | 'mismatched'
  fields: string[]
  message: string
}

export interface ComparedEvent<Event extends EventRecord> {
  record: Event
  /** The transaction of the event; undefined for a foreign event. */
  transaction: PostedTransaction | undefined
  /** The partition of the transaction's user, with the current number of partitions. */
  home: number | undefined
  difference: Difference | undefined
}

// `offset 0` makes Postgres look up each event by primary key, whatever its statistics say.
const TRANSACTIONS = `
  select t.id, t.wallet_id, t.sequence, t.entry, t.amount, t.balance, t.trans_id, t.created_at, w.user_id, w.currency
    from unnest($1::bigint[]) as wanted (id)
   cross join lateral (select * from transactions where id = wanted.id offset 0) t
   cross join lateral (select user_id, currency from wallets where id = t.wallet_id offset 0) w`

/** Compares events with the ledger: one query for all of them. The answers are in the order of the events. */
export async function compareEvents<Event extends EventRecord>(
  pool: Pool,
  topic: TopicRow,
  records: readonly Event[],
): Promise<ComparedEvent<Event>[]> {
  const values = records.map(parseValue)
  const ids = new Set(values.flatMap((value) => transactionIdOf(value) ?? []))
  const { rows } = await pool.query<PostedTransaction & { entry: Entry }>(TRANSACTIONS, [[...ids]])
  const transactions = new Map(rows.map((row) => [row.id, row]))
  return records.map((record, index) => {
    const value = values[index]
    const transaction = transactions.get(transactionIdOf(value) ?? Number.NaN)
    return compare(record, value, transaction, topic)
  })
}

type Value = Readonly<Record<string, unknown>> | undefined

function parseValue({ value }: EventRecord): Value {
  try {
    const parsed = JSON.parse(value ?? '')
    return typeof parsed === 'object' && parsed !== null ? parsed : undefined
  } catch {
    return undefined
  }
}

function transactionIdOf(value: Value): number | undefined {
  const id = value?.transaction_id
  return Number.isSafeInteger(id) ? (id as number) : undefined
}

function compare<Event extends EventRecord>(
  record: Event,
  value: Value,
  transaction: PostedTransaction | undefined,
  topic: TopicRow,
): ComparedEvent<Event> {
  const foreign = (message: string, fields: string[] = []): ComparedEvent<Event> => ({
    record,
    transaction: undefined,
    home: undefined,
    difference: { kind: 'foreign', fields, message },
  })
  if (!value) return foreign('its value is not a JSON object')
  const source = record.headers.ce_source
  if (source === undefined || !(source === topic.event_source || topic.former_sources.includes(source))) {
    return foreign(`its ce_source is ${source ?? 'missing'}, and this ledger has ${topic.event_source}`, ['ce_source'])
  }
  if (!transaction) return foreign(`there is no transaction ${value.transaction_id} in the ledger`, ['transaction_id'])

  const wanted = transactionPosted(transaction, { source, partitions: topic.partitions })
  const fields = differingFields(record, value, wanted)
  const message = `it differs from transaction ${transaction.id} (wallet ${transaction.wallet_id}, sequence ${transaction.sequence}) in ${fields.join(', ')}`
  const difference = fields.length > 0 ? { kind: 'mismatched' as const, fields, message } : undefined
  return { record, transaction, home: wanted.partition, difference }
}

function differingFields(
  { key, value: text, headers }: EventRecord,
  value: Readonly<Record<string, unknown>>,
  wanted: { key: string; payload: string; headers: string },
): string[] {
  const fields = key === wanted.key ? [] : ['key']
  if (text !== wanted.payload) {
    // Another order of fields, or a field that a newer release has added, is not a difference.
    fields.push(...namesThatDiffer(JSON.parse(wanted.payload), value))
  }
  return [...fields, ...namesThatDiffer(JSON.parse(wanted.headers), headers)]
}

function namesThatDiffer(wanted: object, found: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(wanted).flatMap(([name, value]) => (found[name] === value ? [] : [name]))
}
