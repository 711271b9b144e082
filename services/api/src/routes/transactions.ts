import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import { busy } from '../errors.ts'
import type { ReadOptions } from '../ledger/gather.ts'
import { getTransaction } from '../ledger/get-transaction.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import type { PostingQueue } from '../ledger/posting-queue.ts'
import { createTransactionPages } from '../ledger/transaction-pages.ts'
import { createVouchOf } from '../ledger/vouch.ts'
import type { RefusalTurns } from '../plugins/guard.ts'
import { createMessage } from '../plugins/trace-requests.ts'
import { answer, ref } from '../schemas/common.ts'
import { BODY, problems } from '../schemas/problem.ts'
import {
  PostTransactionBody,
  TransactionList,
  TransactionParams,
  TransactionQuery,
  TransactionView,
  toTransactionView,
} from '../schemas/transaction.ts'
import { outcomeRoutes } from './outcomes.ts'
import { nextTransactions, readTransactionPage } from './transaction-page.ts'

export interface TransactionRoutesOptions {
  db: Db
  posting: Pick<PostingQueue, 'post' | 'isFull'>
  cursors: PageCursors
  turns: RefusalTurns
  reads: ReadOptions
  /** Where the events of postings go, for their spans. */
  topic: string
}

const common = { tags: ['transactions'], security: [{ access_token: [] }] }

const REPLAYED = {
  type: 'string',
  enum: ['true'],
  description: 'The trans_id was already recorded: nothing moved now.',
}
const posted = answer(TransactionView, 'Posted, by this request or by an earlier one with the same trans_id.', {
  location: { type: 'string', description: 'Path of the transaction.' },
  'idempotent-replayed': REPLAYED,
})
const { 422: refused } = problems(422)
const listed = answer(TransactionList, 'A page.', {
  link: { type: 'string', description: 'RFC 8288: rel="next", if there is a next page.' },
})

export const transactionRoutes: FastifyPluginAsyncTypebox<TransactionRoutesOptions> = async (app, options) => {
  const { db, posting, cursors, turns, reads, topic } = options
  const pages = createTransactionPages(db, reads)
  const vouch = createVouchOf(db, reads)
  const message = { system: 'kafka', destination: topic } as const
  const base = `${app.prefix}/transactions`

  app.post(
    '/transactions',
    {
      // Before the body is read: under a flood, a rejected request must cost far less than a served one.
      onRequest: (_request, _reply, done) => (posting.isFull ? turns.refuse(() => done(busy)) : done()),
      schema: {
        ...common,
        operationId: 'postTransaction',
        summary: 'Credit or debit your wallet',
        description:
          'Takes effect at most once per trans_id. A request that got no answer, or a 503, can safely be sent again ' +
          'unchanged. A refusal is final too: the same trans_id is refused again, even if the balance would cover it by ' +
          'then. The headers `traceparent` and `tracestate` are passed on to the event.',
        body: ref(PostTransactionBody),
        response: {
          201: posted,
          ...problems(...BODY, 401, 404),
          422: { ...refused, headers: { 'idempotent-replayed': REPLAYED } },
        },
      },
    },
    async (request, reply) => {
      const { entry, amount, trans_id } = request.body
      const order = { user_id: request.user.id, entry, amount, trans_id }
      const { transaction, replayed } = await createMessage(request, message, (trace) =>
        posting.post({ ...order, trace }),
      )
      if (replayed) reply.header('idempotent-replayed', 'true')
      reply.header('location', `${base}/${transaction.id}`)
      return reply.code(201).send(toTransactionView(transaction))
    },
  )

  app.get(
    '/transactions',
    {
      schema: {
        ...common,
        operationId: 'listTransactions',
        summary: 'Your transactions, newest first',
        description: 'Pages are stable: transactions posted meanwhile neither shift nor repeat any.',
        querystring: TransactionQuery,
        response: { 200: listed, ...problems(401) },
      },
    },
    async (request, reply) => {
      const page = readTransactionPage(cursors, request.user.id, request.query)
      const { transactions, next } = await pages.read(page)
      const next_cursor = nextTransactions(cursors, page, next)
      if (next_cursor) reply.header('link', `<${base}?limit=${page.limit}&cursor=${next_cursor}>; rel="next"`)
      return { data: transactions.map(toTransactionView), pagination: { next_cursor, limit: page.limit } }
    },
  )

  app.get(
    '/transactions/:transaction_id',
    {
      schema: {
        ...common,
        operationId: 'getTransaction',
        summary: 'One of your transactions',
        params: TransactionParams,
        response: { 200: answer(TransactionView, 'The transaction.'), ...problems(401, 404) },
      },
    },
    async (request) =>
      toTransactionView(await getTransaction(db, vouch, request.user.id, request.params.transaction_id)),
  )

  await app.register(outcomeRoutes, { db, vouch })
}
