import type { LedgerTransaction, RefusalCode } from '@streamledger/db'
import Type, { type Static } from 'typebox'
import type { Recorded } from '../ledger/decide.ts'
import { Cursor, Entry, Id, Kobo, LINE_OF_TEXT, Limit, Pagination, ref, Timestamp } from './common.ts'

const TransId = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: LINE_OF_TEXT,
  description:
    'Your idempotency key, unique within the wallet: the same key again gets the same answer and moves nothing. ' +
    'Compared character by character, without trimming, case folding or normalization.',
})

export const PostTransactionBody = Type.Object(
  { entry: Entry('Credit or debit the wallet.'), amount: Kobo('The amount', 1), trans_id: TransId },
  {
    $id: 'PostTransaction',
    additionalProperties: false,
    examples: [{ entry: 'credit', amount: 1000, trans_id: 'order-1234' }],
  },
)

const exampleTransaction = {
  ...{ transaction_id: 4711, wallet_id: 7, entry: 'credit', amount: 1_000, balance: 1_500, trans_id: 'order-1234' },
  ...{ sequence: 2, created_at: '2026-01-05T09:30:00.000Z' },
}

export const TransactionView = Type.Object(
  {
    transaction_id: Id('The transaction.'),
    wallet_id: Id('The wallet.'),
    entry: Entry('Whether it credited or debited the wallet.'),
    amount: Kobo('The amount', 1),
    balance: Kobo('The balance after this transaction'),
    trans_id: Type.String({ description: 'Your idempotency key.' }),
    sequence: Type.Integer({
      minimum: 1,
      description: "The wallet's transactions are numbered 1, 2, 3 … without a gap.",
    }),
    created_at: Timestamp('When it was posted; never earlier than the previous sequence.'),
  },
  { $id: 'Transaction', examples: [exampleTransaction] },
)

const RefusalView = Type.Object(
  {
    code: Type.Unsafe<RefusalCode>({
      ...{ type: 'string', enum: ['insufficient_funds', 'balance_limit'] },
      description: 'The reason: the code of the problem that was answered.',
    }),
    entry: Entry('The requested entry.'),
    amount: Kobo('The requested amount', 1),
    balance: Kobo('The balance when it was refused'),
    created_at: Timestamp('When it was refused.'),
  },
  {
    $id: 'Refusal',
    examples: [
      {
        ...{ code: 'insufficient_funds', entry: 'debit', amount: 2_000, balance: 1_500 },
        created_at: '2026-01-05T09:31:00.000Z',
      },
    ],
  },
)

export const OutcomeView = Type.Object(
  {
    trans_id: Type.String({ description: 'The requested trans_id.' }),
    outcome: Type.Unsafe<'accepted' | 'refused'>({
      ...{ type: 'string', enum: ['accepted', 'refused'] },
      description: '`accepted` comes with `transaction`, `refused` with `refusal`.',
    }),
    transaction: Type.Optional(ref(TransactionView)),
    refusal: Type.Optional(ref(RefusalView)),
  },
  {
    $id: 'Outcome',
    description: 'The transaction if it was accepted, or the refusal if it was refused. Both are final.',
    examples: [{ trans_id: 'order-1234', outcome: 'accepted', transaction: exampleTransaction }],
  },
)

export const TransactionParams = Type.Object({ transaction_id: Id('The transaction.') })
export const TransIdParams = Type.Object({ trans_id: TransId })
export const OutcomeQuery = Type.Object({ trans_id: TransId }, { additionalProperties: false })

/** The filters of a list or an export. */
export const filters = {
  entry: Type.Optional(Entry('Only credits, or only debits.')),
  from: Type.Optional(Timestamp('Posted at this instant or later (RFC 3339, with its offset).')),
  to: Type.Optional(Timestamp('Posted before this instant (RFC 3339, with its offset).')),
}

export const TransactionQuery = Type.Object(
  { limit: Type.Optional(Limit), cursor: Type.Optional(Cursor), ...filters },
  { additionalProperties: false },
)

export const TransactionList = Type.Object(
  { data: Type.Array(ref(TransactionView)), pagination: Pagination },
  {
    $id: 'TransactionList',
    examples: [{ data: [exampleTransaction], pagination: { next_cursor: null, limit: 50 } }],
  },
)

export const transactionSchemas = [PostTransactionBody, TransactionView, RefusalView, OutcomeView, TransactionList]

/** Made from stored columns alone, so that a replay has the same bytes. */
export function toTransactionView(transaction: LedgerTransaction): Static<typeof TransactionView> {
  return {
    transaction_id: transaction.id,
    wallet_id: transaction.wallet_id,
    entry: transaction.entry,
    amount: transaction.amount,
    balance: transaction.balance,
    trans_id: transaction.trans_id,
    sequence: transaction.sequence,
    created_at: transaction.created_at.toISOString(),
  }
}

export function toOutcomeView(recorded: Recorded): Static<typeof OutcomeView> {
  if (recorded.kind === 'transaction') {
    const { transaction } = recorded
    return { trans_id: transaction.trans_id, outcome: 'accepted', transaction: toTransactionView(transaction) }
  }
  const { trans_id, code, entry, amount, balance, created_at } = recorded.refusal
  const refusal = { code, entry, amount, balance, created_at: created_at.toISOString() }
  return { trans_id, outcome: 'refused', refusal }
}
