import Type, { type Static } from 'typebox'
import { Kobo, ref } from './common.ts'

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A URN that contains the code.' }),
    title: Type.String({ description: 'The code in words.' }),
    status: Type.Integer({ minimum: 400, maximum: 599, description: 'The HTTP status.' }),
    detail: Type.String({ description: 'An explanation for people. Programs use `code`.' }),
    instance: Type.String({ description: 'The path of the request.' }),
    code: Type.String({ description: 'A stable code for programs.' }),
    request_id: Type.String({ description: 'Quote it when you ask for help.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          in: Type.Unsafe<'body' | 'query' | 'header' | 'path'>({
            type: 'string',
            enum: ['body', 'query', 'header', 'path'],
            description: 'Which part of the request.',
          }),
          pointer: Type.String({ description: 'JSON pointer to the invalid value.' }),
          reason: Type.String({ description: 'Why it is invalid.' }),
        }),
        { description: 'The faults of the input, at most 20.' },
      ),
    ),
    balance: Type.Optional(Kobo('With a refusal: the balance when it was decided')),
    fields: Type.Optional(
      Type.Array(Type.String(), { description: 'With `trans_id_reused`: the fields that differ from its first use.' }),
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
  401: 'The token or the credentials are not valid. The reason is not disclosed.',
  404: 'It does not exist, or it belongs to another user.',
  408: 'The request did not arrive in time.',
  409: 'Not allowed in the current state.',
  410: 'The file no longer exists.',
  413: 'The body is too large.',
  415: 'The body is not uncompressed JSON.',
  416: 'The range lies outside the file.',
  422: 'The request is valid, but it was refused.',
  429: 'A limit is reached. Retry-After says how long to wait.',
  431: 'The headers are too large.',
  500: 'An internal error of the service.',
  503: 'Temporarily unavailable. Retry-After says how long to wait.',
} as const

const retryAfter = {
  'retry-after': { type: 'integer', minimum: 1, description: 'Seconds to wait before the next try.' },
}
const challenge = { 'www-authenticate': { type: 'string', description: 'How to authenticate: RFC 6750.' } }
const encodings = {
  'accept-encoding': { type: 'string', description: 'The accepted encodings, if the body was compressed.' },
}
const extent = { 'content-range': { type: 'string', description: 'The size of the file, as `bytes */200000`.' } }
const headers: Partial<Record<keyof typeof descriptions, object>> = {
  401: challenge,
  415: encodings,
  416: extent,
  429: retryAfter,
  503: retryAfter,
}

/** Statuses that any route may answer. 400, 408 and 431 also for requests that could not be read. */
const ANY = [400, 408, 429, 431, 500, 503] as const
/** Also for any route whose method may have a body, even if the route needs none. */
export const BODY = [413, 415] as const

/** The problem responses of a route: those that any route may answer, and the given ones. */
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
