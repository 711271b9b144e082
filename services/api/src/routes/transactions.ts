import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import { busy } from '../ledger/errors.ts'
import { getOutcome } from '../ledger/get-outcome.ts'
import { getTransaction } from '../ledger/get-transaction.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import type { Posting } from '../ledger/posting.ts'
import { createTransactionPages } from '../ledger/transaction-pages.ts'
import { createVouchOf } from '../ledger/vouch.ts'
import type { Refusals } from '../plugins/refusals.ts'
import { traceContextOf } from '../plugins/trace-requests.ts'
import { answer, ref } from '../schemas/common.ts'
import { BODY, problems } from '../schemas/problem.ts'
import {
  OutcomeView,
  PostTransactionBody,
  TransactionList,
  TransactionParams,
  TransactionQuery,
  TransactionView,
  TransIdParams,
  toOutcomeView,
  toTransactionView,
} from '../schemas/transaction.ts'
import { nextTransactions, readTransactionPage } from './transaction-page.ts'

export interface TransactionRoutesOptions {
  db: Db
  posting: Posting
  cursors: PageCursors
  refusals: Refusals
}

const common = { tags: ['transactions'], security: [{ access_token: [] }] }

const posted = answer(TransactionView, 'Posted, by this request or by an earlier one with the same trans_id.', {
  location: { type: 'string', description: 'Path of the transaction.' },
  'idempotent-replayed': {
    type: 'string',
    enum: ['true'],
    description: 'The trans_id was already recorded: nothing moved now.',
  },
})
const listed = answer(TransactionList, 'A page.', {
  link: { type: 'string', description: 'RFC 8288: rel="next", if there is a next page.' },
})

export const transactionRoutes: FastifyPluginAsyncTypebox<TransactionRoutesOptions> = async (app, options) => {
  const { db, posting, cursors, refusals } = options
  const pages = createTransactionPages(db)
  const vouch = createVouchOf(db)
  const base = `${app.prefix}/transactions`

  app.post(
    '/transactions',
    {
      // Before the body is read: under a flood, a rejected request must cost far less than a served one.
      onRequest: (_request, _reply, done) => (posting.isFull() ? refusals.add(() => done(busy)) : done()),
      schema: {
        ...common,
        operationId: 'postTransaction',
        summary: 'Credit or debit your wallet',
        description:
          'Takes effect at most once per trans_id. A request that got no answer, or a 503, can safely be sent again ' +
          'unchanged. A refusal is final too: the same trans_id is refused again, even if the balance would cover it by ' +
          'then. The headers `traceparent` and `tracestate` are passed on to the event.',
        body: ref(PostTransactionBody),
        response: { 201: posted, ...problems(...BODY, 401, 404, 422) },
      },
    },
    async (request, reply) => {
      const trace = traceContextOf(request)
      const { transaction, replayed } = await posting.post({ user_id: request.user.id, ...request.body, trace })
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

  app.get(
    '/transactions/by-trans-id/:trans_id',
    {
      schema: {
        ...common,
        operationId: 'getOutcome',
        summary: 'The outcome of a trans_id',
        description:
          'Executes nothing. 404 means that nothing is recorded yet; a request that is still under way may change that.',
        params: TransIdParams,
        response: { 200: answer(OutcomeView, 'The final outcome: accepted or refused.'), ...problems(401, 404) },
      },
    },
    async (request) => toOutcomeView(await getOutcome(db, vouch, request.user.id, request.params.trans_id)),
  )
}
