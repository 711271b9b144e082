import { randomUUID } from 'node:crypto'

export interface Ask {
  /** By default GET, or POST with a body. */
  method?: string
  body?: unknown
  headers?: Record<string, string>
}

/** A new user, logged in. */
export interface Person {
  readonly email: string
  readonly password: string
  /** Sends one request to the API as this user; the path is below /api/v1. */
  ask(path: string, request?: Ask): Promise<Response>
  /** Posts a credit of this amount, in kobo. */
  credit(amount: number, trans_id?: string): Promise<Response>
}

/** @throws Error if the API refuses the sign-up. */
export async function signUp(origin: string): Promise<Person> {
  const send = (path: string, token: string, { body, method = body === undefined ? 'GET' : 'POST', headers }: Ask) =>
    fetch(`${origin}/api/v1${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }), ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const login = { email: `${randomUUID()}@example.com`, password: 'a-quiet-harbour-42' }
  const answer = await send('/auth/signup', '', { body: { first_name: 'Ada', last_name: 'Obi', ...login } })
  if (answer.status !== 201) throw new Error(`a sign-up was answered ${answer.status}: ${await answer.text()}`)
  const { access_token } = (await answer.json()) as { access_token: { token: string } }
  const ask: Person['ask'] = (path, request = {}) => send(path, access_token.token, request)
  const credit: Person['credit'] = (amount, trans_id = randomUUID()) =>
    ask('/transactions', { body: { entry: 'credit', amount, trans_id } })
  return { ...login, ask, credit }
}
