import type { Agent } from 'node:http'
import { sendOnce } from '@streamledger/testkit'

export interface Reply {
  what: string
  /** Undefined: the connection was refused, broke, or said nothing for too long. */
  status: number | undefined
  error: string | undefined
  /** The server closes the connection, so the next request needs a new one. */
  closes: boolean
  // biome-ignore lint/suspicious/noExplicitAny: a schema here would hide what the API really sends
  json: any
}

export interface Call {
  token?: string | undefined
  body?: object
}

const TIMEOUT_MS = 20_000

/** Sends a request once, on the agent's own connections; an answer that never came is a reply, too. */
export async function call(
  agent: Agent,
  origin: string,
  [method, path]: [string, string],
  options: Call = {},
): Promise<Reply> {
  const what = `${method} ${path.split('?')[0]}`
  try {
    const { status, headers, body } = await sendOnce(agent, origin, {
      ...{ method, path, timeoutMs: TIMEOUT_MS },
      ...options,
    })
    const isJson = headers['content-type']?.includes('json')
    const text = body.toString()
    return {
      ...{ what, status, error: undefined, closes: headers.connection === 'close' },
      json: isJson ? JSON.parse(text) : text,
    }
  } catch (error) {
    return { what, status: undefined, error: (error as Error).message, closes: false, json: undefined }
  }
}
