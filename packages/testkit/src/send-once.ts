import { type Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface SendOnce {
  method: string
  /** Below /api/v1. */
  path: string
  token?: string | undefined
  body?: unknown
  headers?: Record<string, string>
  /** As long as nothing may come. */
  timeoutMs: number
}

export interface Received {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/**
 * Sends a request to the API on the agent's own connections, and repeats nothing.
 *
 * @throws Error when it was refused, cut off or not answered in time: its outcome is unknown then
 */
export function sendOnce(agent: Agent, origin: string, sending: SendOnce): Promise<Received> {
  const { method, path, token, body, timeoutMs } = sending
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(payload !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    ...sending.headers,
  }
  return new Promise((resolve, reject) => {
    const cutOff = () => reject(new Error('the connection was closed before the answer was whole'))
    const sent = request(`${origin}/api/v1${path}`, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('close', cutOff) // without an effect after its end
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) })
      })
    })
    sent.setTimeout(timeoutMs, () => sent.destroy(new Error('no answer in time')))
    sent.once('error', reject)
    sent.once('close', cutOff)
    sent.end(payload)
  })
}
