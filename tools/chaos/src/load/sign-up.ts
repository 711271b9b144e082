import { randomUUID } from 'node:crypto'
import type { Agent } from 'node:http'
import { callApi } from './call-api.ts'
import { withAgent } from './with-agent.ts'

export interface User {
  readonly wallet_id: number
  readonly token: string
}

interface Account {
  wallet: { wallet_id: number }
  access_token: { token: string }
}

/** Hashing a password takes a while. */
const TIMEOUT_MS = 30_000

/** People who have never been here before, one after another. */
export function signUp(url: string, count: number): Promise<User[]> {
  return withAgent((agent) => signUpBy(agent, url, count))
}

async function signUpBy(agent: Agent, url: string, count: number): Promise<User[]> {
  const users: User[] = []
  while (users.length < count) {
    const person = {
      first_name: 'Ada',
      last_name: 'Obi',
      email: `${randomUUID()}@chaos.example`,
      password: randomUUID(),
    }
    const reply = await callApi(agent, url, {
      ...{ method: 'POST', path: '/auth/signup', body: person, timeoutMs: TIMEOUT_MS },
    })
    if (reply?.status !== 201) throw new Error(`a sign-up got ${reply?.status ?? 'no answer'}`)
    const { wallet, access_token } = JSON.parse(reply.body.toString()) as Account
    users.push({ wallet_id: wallet.wallet_id, token: access_token.token })
  }
  return users
}
