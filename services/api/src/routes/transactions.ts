import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import { ApiError, busy } from '../errors.ts'
import type { ReadOptions } from '../ledger/gather.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import type { PostingQueue } from '../ledger/posting-queue.ts'
import { createTransactionPages, getOutcome, getTransaction } from '../ledger/transactions.ts'
import { createVouchOf, type Vouch } from '../ledger/vouch.ts'
import type { RefusalTurns } from '../plugins/guard.ts'
import { createMessage } from '../plugins/trace-requests.ts'
import { answer, ref } from '../schemas/common.ts'
import { BODY, problems } from '../schemas/problem.ts'
import {
  OutcomeQuery,
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
import { nextTransactions, readTransactionPage } from './pages.ts'

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

interface OutcomeRoutesOptions {
  db: Db
  vouch: Vouch
}
const outcome = answer(OutcomeView, 'The final outcome: accepted or refused.')
const OUTCOME =
  'Executes nothing. 404 means that nothing is recorded yet; a request that is still under way may change that.'

const outcomeRoutes: FastifyPluginAsyncTypebox<OutcomeRoutesOptions> = async (app, { db, vouch }) => {
  app.get(
    '/transactions/outcome',
    {
      // The parser of query strings leaves a value that it cannot decode as it is, and that is another trans_id.
      preValidation: async ({ url }) => {
        if (!isDecodable(url)) throw new ApiError('malformed_request')
      },
      schema: {
        ...common,
        operationId: 'lookUpOutcome',
        summary: 'The outcome of a trans_id',
        description: `${OUTCOME} Takes every trans_id, percent-encoded.`,
        querystring: OutcomeQuery,
        response: { 200: outcome, ...problems(401, 404) },
      },
    },
    async (request) => toOutcomeView(await getOutcome(db, vouch, request.user.id, request.query.trans_id)),
  )

  app.get(
    '/transactions/by-trans-id/:trans_id',
    {
      schema: {
        ...common,
        operationId: 'getOutcome',
        summary: 'The outcome of a trans_id in the path',
        description: `${OUTCOME} Many clients and proxies change the paths that end in \`.\` and \`..\`: /transactions/outcome takes every trans_id.`,
        params: TransIdParams,
        response: { 200: outcome, ...problems(401, 404) },
      },
    },
    async (request) => toOutcomeView(await getOutcome(db, vouch, request.user.id, request.params.trans_id)),
  )
}

function isDecodable(url: string): boolean {
  try {
    decodeURIComponent(url)
    return true
  } catch {
    return false
  }
}
