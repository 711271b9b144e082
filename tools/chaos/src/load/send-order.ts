import type { Agent } from 'node:http'
import type { Order } from './answer.ts'
import { callApi, type Reply } from './call-api.ts'

/** Posts an order once. */
export function sendOrder(agent: Agent, url: string, order: Order): Promise<Reply | undefined> {
  const { user, entry, amount, trans_id } = order
  const body = { entry, amount, trans_id }
  return callApi(agent, url, { method: 'POST', path: '/transactions', token: user.token, body })
}
