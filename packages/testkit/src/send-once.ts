import { type Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface SendOnce {
  method: string
  /** The path below /api/v1. */
  path: string
  token?: string | undefined
  body?: unknown
  headers?: Record<string, string>
  /** The longest time without any data. */
  timeoutMs: number
}

export interface Received {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/**
 * Sends a request to the API on the connections of the agent, and never repeats it.
 *
 * @throws Error if it was refused, cut off or not answered in time; its outcome is then unknown
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
      response.once('close', cutOff) // has no effect after the end
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
