import { type Agent, request } from 'node:http'

export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  /** Below /api/v1. */
  path: string
  token?: string
  body?: unknown
  headers?: Record<string, string>
  timeoutMs?: number
}

export interface Reply {
  status: number
  replayed: boolean
  body: Buffer
}

const TIMEOUT_MS = 4_000

/** Sends one request once; undefined when the connection broke or nothing came in time: its outcome is unknown then. */
export function callApi(agent: Agent, url: string, call: Call): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const payload = call.body === undefined ? undefined : JSON.stringify(call.body)
    const headers = {
      ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
      ...call.headers,
    }
    const broken = () => resolve(undefined)
    const sent = request(`${url}/api/v1${call.path}`, { method: call.method, agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', broken)
      response.once('close', broken) // cut off in the middle of an answer; without an effect after its end
      response.once('end', () => {
        const replayed = response.headers['idempotent-replayed'] === 'true'
        resolve({ status: response.statusCode ?? 0, replayed, body: Buffer.concat(chunks) })
      })
    })
    sent.setTimeout(call.timeoutMs ?? TIMEOUT_MS, () => sent.destroy())
    sent.once('error', broken)
    sent.once('close', broken)
    sent.end(payload)
  })
}
