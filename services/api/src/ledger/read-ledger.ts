import { type Entry, IS_SYNCHRONOUS, type RefusalCode } from '@streamledger/db'
import type { Pool } from 'pg'
import type { PostTransaction, Recorded, WalletState } from './decide.ts'

export interface WalletRead extends WalletState {
  user_id: number
  currency: string
  version: number
}

export interface Topic {
  generation: number
  partitions: number
  paused: boolean
  event_source: string
}

/** The wallet of a request, and the recorded outcome of its trans_id. */
export interface RequestRead {
  wallet: WalletRead | undefined
  recorded: Recorded | undefined
}

/** The input for deciding a batch. */
export interface LedgerRead {
  topic: Topic
  /** One entry per request, in their order; requests of one wallet share one wallet object. */
  requests: RequestRead[]
  /** Commits wait for a standby: what is recorded must not be answered before a standby has it. */
  synchronous: boolean
}

// The limits in the laterals force the plan, independent of statistics: one probe of a unique index per request.
// Without them, a hash join over a hot wallet's history cost 20 times as much as the rest.
const READ = `
  select topic.generation, topic.partitions, topic.paused, topic.event_source,
         w.id as wallet_id, w.user_id, w.balance, w.currency, w.sequence, w.version, w.updated_at,
         t.id as t_id, t.sequence as t_sequence, t.balance as t_balance,
         f.code as f_code, f.balance as f_balance,
         coalesce(t.entry, f.entry) as r_entry, coalesce(t.amount, f.amount) as r_amount,
         coalesce(t.created_at, f.created_at) as r_created_at, ${IS_SYNCHRONOUS} as synchronous
    from unnest($1::bigint[], $2::text[]) with ordinality as request (user_id, trans_id, place)
   cross join topic
    left join lateral (
      select * from wallets where user_id = request.user_id limit 1
    ) w on true
    left join lateral (
      select * from transactions where wallet_id = w.id and trans_id = request.trans_id limit 1
    ) t on true
    left join lateral (
      select * from refusals where wallet_id = w.id and trans_id = request.trans_id limit 1
    ) f on true
   order by request.place`

interface Row extends Topic {
  wallet_id: number | null
  user_id: number
  balance: number
  currency: string
  sequence: number
  version: number
  updated_at: Date
  t_id: number | null
  t_sequence: number
  t_balance: number
  f_code: RefusalCode | null
  f_balance: number
  r_entry: Entry
  r_amount: number
  r_created_at: Date
  synchronous: boolean
}

/** Reads the wallets of these requests, what is already recorded for each trans_id, and the topic, in one snapshot. */
export async function readLedger(pool: Pool, requests: readonly PostTransaction[]): Promise<LedgerRead> {
  const { rows } = await pool.query<Row>({
    name: 'read-ledger',
    text: READ,
    values: [requests.map(({ user_id }) => user_id), requests.map(({ trans_id }) => trans_id)],
  })
  const [first] = rows
  if (!first || rows.length !== requests.length)
    throw new Error('the topic row is missing: was the installation claimed?')
  const { generation, partitions, paused, event_source, synchronous } = first
  const wallets = new Map<number, WalletRead>()
  return {
    synchronous,
    topic: { generation, partitions, paused, event_source },
    requests: rows.map((row, index) => ({
      wallet: walletOf(row, wallets),
      recorded: recordedOf(row, (requests[index] as PostTransaction).trans_id),
    })),
  }
}

function walletOf(row: Row, wallets: Map<number, WalletRead>): WalletRead | undefined {
  if (row.wallet_id === null) return undefined
  const known = wallets.get(row.wallet_id)
  if (known) return known
  const { wallet_id: id, user_id, balance, currency, sequence, version, updated_at } = row
  const wallet = { id, user_id, balance, currency, sequence, version, updated_at }
  wallets.set(id, wallet)
  return wallet
}

function recordedOf(row: Row, trans_id: string): Recorded | undefined {
  const first = {
    wallet_id: row.wallet_id as number,
    trans_id,
    entry: row.r_entry,
    amount: row.r_amount,
    created_at: row.r_created_at,
  }
  if (row.t_id !== null) {
    return {
      kind: 'transaction',
      transaction: { ...first, id: row.t_id, sequence: row.t_sequence, balance: row.t_balance },
    }
  }
  if (row.f_code !== null) return { kind: 'refusal', refusal: { ...first, code: row.f_code, balance: row.f_balance } }
  return undefined
}
