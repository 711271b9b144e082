import { randomUUID } from 'node:crypto'
import { type Answer, expectDocumented, type Json } from './expect-documented.ts'

export type { Answer, Json }

export interface Call {
  body?: unknown
  /** Raw bytes to send instead of `body`. */
  raw?: string | Uint8Array<ArrayBuffer>
  headers?: Record<string, string>
  /** Replaces the client's own; null for none. */
  token?: string | null
}

export interface Client {
  /** The answer of the sign-up. */
  readonly account: Json
  call(method: string, path: string, call?: Call): Promise<Answer>
  get(path: string, call?: Call): Promise<Answer>
  post(entry: string, amount: number, trans_id?: string): Promise<Answer>
  balance(): Promise<number>
}

/** Long enough for a busy machine, and shorter than the test's timeout, so that the error names the call. */
const CALL_TIMEOUT_MS = 50_000

/**
 * An HTTP client of the API; a path that starts with a slash is below /api/v1. Every answer is checked against the
 * OpenAPI document.
 */
export function createClient(url: string, account?: Json): Client {
  const call = async (method: string, path: string, { body, raw, headers = {}, token }: Call = {}): Promise<Answer> => {
    const bearer = token === undefined ? account?.access_token.token : token
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const target = path.startsWith('//') ? path.slice(1) : `/api/v1${path}`
    const response = await fetch(url + target, {
      method,
      headers: {
        ...(bearer && { authorization: `Bearer ${bearer}` }),
        ...(payload !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(payload !== undefined && { body: payload }),
      redirect: 'manual',
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') && text !== ''
    const json = isJson ? JSON.parse(text) : undefined
    const answer = { status: response.status, headers: response.headers, text, json }
    expectDocumented(method, target, answer)
    return answer
  }
  return {
    account,
    call,
    get: (path, options) => call('GET', path, options),
    post: (entry, amount, trans_id = randomUUID()) =>
      call('POST', '/transactions', { body: { entry, amount, trans_id } }),
    balance: async () => (await call('GET', '/wallet')).json.wallet.balance,
  }
}
