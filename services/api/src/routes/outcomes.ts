import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import { ApiError } from '../errors.ts'
import { getOutcome } from '../ledger/get-outcome.ts'
import type { Vouch } from '../ledger/vouch.ts'
import { answer } from '../schemas/common.ts'
import { problems } from '../schemas/problem.ts'
import { OutcomeQuery, OutcomeView, TransIdParams, toOutcomeView } from '../schemas/transaction.ts'

export interface OutcomeRoutesOptions {
  db: Db
  vouch: Vouch
}

const common = { tags: ['transactions'], security: [{ access_token: [] }] }
const outcome = answer(OutcomeView, 'The final outcome: accepted or refused.')
const OUTCOME =
  'Executes nothing. 404 means that nothing is recorded yet; a request that is still under way may change that.'

export const outcomeRoutes: FastifyPluginAsyncTypebox<OutcomeRoutesOptions> = async (app, { db, vouch }) => {
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
