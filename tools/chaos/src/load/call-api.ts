import type { Agent } from 'node:http'
import { type SendOnce, sendOnce } from '@streamledger/testkit/send-once'

export interface Call extends Omit<SendOnce, 'timeoutMs'> {
  method: 'GET' | 'POST' | 'DELETE'
  timeoutMs?: number
}

export interface Reply {
  status: number
  replayed: boolean
  body: Buffer
}

const TIMEOUT_MS = 4_000

/** Sends one request once. Undefined: the connection broke or no answer came in time, so the outcome is unknown. */
export async function callApi(agent: Agent, url: string, call: Call): Promise<Reply | undefined> {
  const received = await sendOnce(agent, url, { timeoutMs: TIMEOUT_MS, ...call }).catch(() => undefined)
  if (!received) return undefined
  const { status, headers, body } = received
  return { status, replayed: headers['idempotent-replayed'] === 'true', body }
}
