import Type, { type Static } from 'typebox'
import { partitionFor } from './partition.ts'

export const TRANSACTIONS_TOPIC = 'transactions'

const kobo = (description: string) =>
  Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: `${description}, in kobo.` })

/** The value of an event: JSON, in this order. */
export const TransactionPosted = Type.Object({
  user_id: Type.Integer(),
  entry: Type.Union([Type.Literal('credit'), Type.Literal('debit')]),
  amount: kobo('The amount'),
  balance: kobo('The balance after this transaction'),
  timestamp: Type.String({
    format: 'date-time',
    description: 'When it was posted; never earlier than the previous sequence.',
  }),
  transaction_id: Type.Integer(),
  wallet_id: Type.Integer(),
  trans_id: Type.String({ description: "The client's idempotency key, unique within the wallet." }),
  currency: Type.String(),
  sequence: Type.Integer({
    minimum: 1,
    description: "The wallet's transactions are numbered 1, 2, 3 … without a gap.",
  }),
})

export interface PostedTransaction {
  id: number
  user_id: number
  wallet_id: number
  sequence: number
  entry: 'credit' | 'debit'
  amount: number
  balance: number
  currency: string
  trans_id: string
  created_at: Date
}

export interface EventContext {
  /** ce_source; together with ce_id it identifies the event. */
  source: string
  /** How many partitions the topic has. */
  partitions: number
  /** The W3C trace context that the event belongs to, if there is one. */
  traceparent?: string | undefined
  tracestate?: string | undefined
}

/** An outbox row, without the columns that the database fills in. */
export interface OutboxEvent {
  partition: number
  key: string
  payload: string
  headers: string
}

/** The event of a posted transaction: CloudEvents 1.0 in Kafka's binary mode, keyed by user. */
export function transactionPosted(transaction: PostedTransaction, context: EventContext): OutboxEvent {
  const key = String(transaction.user_id)
  const timestamp = transaction.created_at.toISOString()
  const value: Static<typeof TransactionPosted> = {
    user_id: transaction.user_id,
    entry: transaction.entry,
    amount: transaction.amount,
    balance: transaction.balance,
    timestamp,
    transaction_id: transaction.id,
    wallet_id: transaction.wallet_id,
    trans_id: transaction.trans_id,
    currency: transaction.currency,
    sequence: transaction.sequence,
  }
  return {
    partition: partitionFor(key, context.partitions),
    key,
    payload: JSON.stringify(value),
    headers: JSON.stringify({
      ce_specversion: '1.0',
      ce_id: String(transaction.id),
      ce_type: 'streamledger.transaction.posted.v1',
      ce_source: context.source,
      ce_time: timestamp,
      'content-type': 'application/json',
      traceparent: context.traceparent, // left out of the JSON when there is none
      tracestate: context.tracestate,
    }),
  }
}
