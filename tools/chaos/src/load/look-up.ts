import type { Agent } from 'node:http'
import type { Order } from './answer.ts'
import { callApi } from './call-api.ts'

interface Outcome {
  readonly transaction?: object
  readonly refusal?: { readonly code: string; readonly balance: number }
}

/** Asks for the outcome of an order: the body that its answer must have. Undefined: nothing is known of it yet. */
export async function lookUp(agent: Agent, url: string, { user, trans_id }: Order): Promise<string | undefined> {
  const path = `/transactions/by-trans-id/${trans_id}`
  const reply = await callApi(agent, url, { method: 'GET', path, token: user.token })
  if (!reply || reply.status === 404 || reply.status === 503) return undefined
  if (reply.status !== 200) throw new Error(`GET ${path} was answered ${reply.status}: ${reply.body}`)
  const { transaction, refusal } = JSON.parse(reply.body.toString()) as Outcome
  return JSON.stringify(transaction ?? { code: refusal?.code, balance: refusal?.balance })
}
