import { randomUUID } from 'node:crypto'

/** Someone who posts over HTTP, one request after the other. */
export interface Client {
  post(trans_id: string, amount?: number): Promise<Response>
}

export async function signUp({ url }: { url: string }): Promise<Client> {
  const call = (path: string, body: object, token = '') =>
    fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    })
  const login = { email: `${randomUUID()}@example.com`, password: 'a-quiet-harbour-42' }
  await call('auth/signup', { first_name: 'Ada', last_name: 'Obi', ...login })
  const answer = await call('auth/login', login)
  const { access_token } = (await answer.json()) as { access_token: { token: string } }
  return {
    post: (trans_id, amount = 100) => call('transactions', { entry: 'credit', amount, trans_id }, access_token.token),
  }
}
