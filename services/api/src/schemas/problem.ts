import Type, { type Static } from 'typebox'
import { Kobo, ref } from './common.ts'

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A URN of the code.' }),
    title: Type.String({ description: 'The code in words.' }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'The HTTP status.' }),
    detail: Type.String({ description: 'For people. Programs go by `code`.' }),
    instance: Type.String({ description: 'The path that was asked for.' }),
    code: Type.String({ description: 'Stable, for programs.' }),
    request_id: Type.String({ description: 'Quote it when you ask for help.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          in: Type.Unsafe<'body' | 'query' | 'header' | 'path'>({
            type: 'string',
            enum: ['body', 'query', 'header', 'path'],
            description: 'Which part of the request.',
          }),
          pointer: Type.String({ description: 'JSON pointer to what is wrong.' }),
          reason: Type.String({ description: 'What is wrong with it.' }),
        }),
        { description: 'What is wrong with the input, the first 20 of it.' },
      ),
    ),
    balance: Type.Optional(Kobo('Of a refusal: the balance when it was decided')),
    fields: Type.Optional(
      Type.Array(Type.String(), { description: 'Of `trans_id_reused`: what differs from its first use.' }),
    ),
  },
  {
    $id: 'Problem',
    description: 'RFC 9457 problem details.',
    examples: [
      {
        type: 'urn:streamledger:problem:insufficient_funds',
        title: 'Insufficient funds',
        status: 422,
        detail: 'The balance does not cover this debit.',
        instance: '/api/v1/transactions',
        code: 'insufficient_funds',
        request_id: '6a1c3f6e-3b0e-4c39-9b37-0a8f3a1f1c11',
        balance: 500,
      },
    ],
  },
)
export type Problem = Static<typeof Problem>

const descriptions = {
  400: 'The input is not valid, or could not be read.',
  401: 'The token or the credentials are not valid; which of them, and why, nobody is told.',
  404: 'There is no such thing, or it is not yours.',
  408: 'The request did not arrive in time.',
  409: 'Not in the state that it is in.',
  410: 'It was there once.',
  413: 'The body is too large.',
  415: 'The body is not plain JSON.',
  416: 'The range lies outside the file.',
  422: 'Understood and refused.',
  429: 'Too many; Retry-After says when to come back.',
  431: 'The headers are too large.',
  500: 'A fault of the service.',
  503: 'Not at this moment; Retry-After says when to come back.',
} as const

const retryAfter = {
  'retry-after': { type: 'integer', minimum: 1, description: 'Seconds to wait before the next try.' },
}
const challenge = { 'www-authenticate': { type: 'string', description: 'How to authenticate: RFC 6750.' } }
const encodings = { 'accept-encoding': { type: 'string', description: 'Of a body that was packed: what is taken.' } }
const extent = { 'content-range': { type: 'string', description: 'The size of the file, as `bytes */200000`.' } }
const headers: Partial<Record<keyof typeof descriptions, object>> = {
  401: challenge,
  415: encodings,
  416: extent,
  429: retryAfter,
  503: retryAfter,
}

/** What any route may answer: the first three to what never became a request of the route. */
const ANY = [400, 408, 429, 431, 500, 503] as const
/** And any route whose method may have a body, whether it wants one or not. */
export const BODY = [413, 415] as const

/** The responses of a route that are problems: those that any route may answer, and the ones named. */
export function problems<Status extends keyof typeof descriptions>(...statuses: Status[]) {
  const all = [...ANY, ...statuses] as const
  return Object.fromEntries(
    all.map((status) => [
      status,
      {
        description: descriptions[status],
        ...(headers[status] && { headers: headers[status] }),
        content: { 'application/problem+json': { schema: ref(Problem) } },
      },
    ]),
  )
}
