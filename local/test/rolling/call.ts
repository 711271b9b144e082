import { type Agent, request } from 'node:http'

export interface Reply {
  what: string
  /** Undefined: the connection was refused, broke, or said nothing for too long. */
  status: number | undefined
  error: string | undefined
  /** The connection is told to go elsewhere for the next request. */
  closes: boolean
  // biome-ignore lint/suspicious/noExplicitAny: a schema here would hide what the API really sends
  json: any
}

export interface Call {
  token?: string | undefined
  body?: object
}

const TIMEOUT_MS = 20_000

/** Sends a request once, on the agent's own connection, and repeats nothing. */
export function call(
  agent: Agent,
  origin: string,
  [method, path]: [string, string],
  { token, body }: Call = {},
): Promise<Reply> {
  const what = `${method} ${path.split('?')[0]}`
  return new Promise((resolve) => {
    const fail = (error: Error) =>
      resolve({ what, status: undefined, error: error.message, closes: false, json: undefined })
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(payload !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(payload),
      }),
    }
    const sent = request(`${origin}/api/v1${path}`, { method, agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('error', fail)
      response.once('end', () => {
        const closes = response.headers.connection === 'close'
        const isJson = response.headers['content-type']?.includes('json')
        resolve({ what, status: response.statusCode, error: undefined, closes, json: isJson ? JSON.parse(text) : text })
      })
    })
    sent.setTimeout(TIMEOUT_MS, () => sent.destroy(new Error('no answer in time')))
    sent.once('error', fail)
    sent.end(payload)
  })
}
