import type { Pool } from 'pg'
import { renderQuantity } from '../render-table.ts'
import type { Verification } from './ledger-faults.ts'
import { type Piece, readHistories } from './read-histories.ts'

/** A wallet as one snapshot shows it. */
interface WalletHead {
  id: number
  balance: number
  sequence: number
  /** The sequence of its last transaction in the same snapshot; 0 without transactions. */
  last_sequence: number
  /** The highest id of all transactions: no history can be longer. */
  last_id: number
}

/** The sum of a wallet's entries that were read so far. */
interface Sum {
  head: WalletHead
  moved: bigint
}

const WALLETS_PER_PAGE = 1_000
/** Transactions that one statement reads and sorts; this takes a fraction of a second. */
const ROWS_PER_STATEMENT = 50_000

// Reads the wallet and the end of its history in one statement, so in one snapshot, in which the two always agree. The
// history below that end can be read by any number of later statements, since it is append-only. So a running system
// shows no false faults, no snapshot stays open, and a long history is read in pieces.
const HEADS = `
  select w.id, w.balance, w.sequence,
         coalesce((select max(t.sequence) from transactions t where t.wallet_id = w.id), 0) as last_sequence,
         coalesce((select max(id) from transactions), 0) as last_id
    from wallets w where w.id > $1 order by w.id limit $2`

// Wallet ids that transactions name, between two ids: one index lookup each, whatever the number of their transactions.
const WITHOUT_WALLET = `
  with recursive named as (
    (select wallet_id from transactions where wallet_id > $1 and wallet_id <= $2 order by wallet_id limit 1)
    union all
    select (select t.wallet_id from transactions t
             where t.wallet_id > named.wallet_id and t.wallet_id <= $2 order by t.wallet_id limit 1)
      from named where named.wallet_id is not null
  )
  select wallet_id from named
   where wallet_id is not null and not exists (select from wallets w where w.id = named.wallet_id)`

/** Compares each wallet with its history: balance, sequence, chain and time. */
export async function verifyWallets(pool: Pool, verification: Verification): Promise<void> {
  let after = 0
  for (;;) {
    const { rows: heads } = await pool.query<WalletHead>(HEADS, [after, WALLETS_PER_PAGE])
    const isLast = heads.length < WALLETS_PER_PAGE
    const through = isLast ? Number.MAX_SAFE_INTEGER : (heads.at(-1) as WalletHead).id
    await verifyHistories(pool, heads, verification)
    await findOrphans(pool, { after, through }, verification)
    if (isLast) return
    after = through
  }
}

async function findOrphans(
  pool: Pool,
  ids: { after: number; through: number },
  { faults }: Verification,
): Promise<void> {
  const { rows } = await pool.query<{ wallet_id: number }>(WITHOUT_WALLET, [ids.after, ids.through])
  for (const { wallet_id } of rows) {
    const message = `wallet ${wallet_id} has transactions, and does not exist`
    faults.add({ kind: 'wallet_missing', wallet_id, message })
  }
}

async function verifyHistories(pool: Pool, heads: readonly WalletHead[], verification: Verification): Promise<void> {
  const { checked, faults, onProgress } = verification
  const sums = new Map(heads.map((head) => [head.id, { head, moved: 0n } as Sum]))
  for (const pieces of cut(heads)) {
    for (const history of await readHistories(pool, pieces)) {
      const sum = sums.get(history.wallet_id) as Sum
      sum.moved += BigInt(history.moved)
      checked.transactions += history.rows
      history.report(faults)
    }
    onProgress()
  }
  for (const sum of sums.values()) judge(sum, verification)
  checked.wallets += heads.length
  onProgress()
}

function judge({ head, moved }: Sum, { faults }: Verification): void {
  const { id: wallet_id, balance, sequence, last_sequence } = head
  const missing = sequence - endOf(head)
  if (missing > 0) {
    const message = `wallet ${wallet_id}: its sequence is ${sequence}, and the end of its history is missing (${renderQuantity(missing, 'transaction')})`
    faults.add({ kind: 'sequence_gap', wallet_id, sequence: sequence - missing + 1, missing, message }, missing)
  }
  if (moved !== BigInt(balance)) {
    const message = `wallet ${wallet_id}: its balance is ${balance}, and its entries add up to ${moved}`
    faults.add({ kind: 'balance_differs', wallet_id, balance, sum: String(moved), message })
  }
  if (last_sequence > sequence) {
    const message = `wallet ${wallet_id}: its sequence is ${sequence}, and it has a transaction with sequence ${last_sequence}`
    faults.add({ kind: 'sequence_beyond', wallet_id, sequence, last_sequence, message })
  }
}

/** How far the history is read: a damaged wallet may have a sequence that no transaction can have. */
const endOf = ({ sequence, last_sequence, last_id }: WalletHead): number => Math.min(sequence, last_sequence, last_id)

/** Divides histories into lists of pieces. One statement reads a list, so the number of its transactions is limited. */
function* cut(heads: readonly WalletHead[]): Generator<Piece[]> {
  let pieces: Piece[] = []
  let room = ROWS_PER_STATEMENT
  for (const head of heads) {
    const end = endOf(head)
    for (let after = 0; after < end; ) {
      const through = Math.min(end, after + room)
      pieces.push({ wallet_id: head.id, after, through })
      room -= through - after
      after = through
      if (room > 0) continue
      yield pieces
      pieces = []
      room = ROWS_PER_STATEMENT
    }
  }
  if (pieces.length > 0) yield pieces
}
