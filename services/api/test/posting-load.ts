import { createHmac, randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { SECRET } from './api.ts'
import type { Json } from './client.ts'

/** A posting of a client, always with the same trans_id. */
export interface Order {
  user_id: number
  entry: 'credit' | 'debit'
  amount: number
  trans_id: string
}

export interface Reply {
  status: number
  retryAfter: string | undefined
  replayed: boolean
  text: string
}

/** One try of an order, answered or not. */
export interface Try {
  url: string
  sentAt: number
  ms: number
  /** Undefined: the connection broke, or nothing came in time. */
  status: number | undefined
}

/** An order with its final answer, which is not retried. */
export interface Answered {
  order: Order
  reply: Reply
  tries: Try[]
}

export interface LoadOptions {
  /** Each client goes on to the next one when it has to try again. */
  targets: readonly string[]
  /** The first one is the hot wallet: half of all orders are for it. */
  users: readonly number[]
  clients: number
  /** How long a client waits for an answer. */
  timeoutMs?: number
}

export interface Load {
  /** Grows while the load runs. */
  readonly answered: readonly Answered[]
  /** Resolves when everything that was sent has its final answer. */
  stop(): Promise<void>
}

const TIMEOUT_MS = 10_000
const RETRY_PAUSE_MS = 20
const TRIES_MAX = 1_000
const TOKEN_TTL_S = 3_600

/** Makes an access token without a log-in: argon2id would take most of the test's time. */
export function signAccessToken(user_id: number): string {
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { sub: String(user_id), iat, exp: iat + TOKEN_TTL_S, iss: 'streamledger', aud: 'streamledger-api' }
  const signed = [{ alg: 'HS256', typ: 'at+jwt' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
}

/** Sends one order once; undefined when the connection broke or nothing came in time. */
export function send(
  url: string,
  { user_id, ...body }: Order,
  { agent, timeoutMs }: Sending,
): Promise<Reply | undefined> {
  return new Promise((resolve) => {
    const payload = JSON.stringify(body)
    const headers = {
      authorization: `Bearer ${tokenOf(user_id)}`,
      'content-type': 'application/json',
      'content-length': payload.length,
    }
    const broken = () => resolve(undefined)
    const sent = request(`${url}/api/v1/transactions`, { method: 'POST', agent, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.once('error', broken)
      response.once('end', () => {
        const { 'retry-after': retryAfter, 'idempotent-replayed': replayed } = response.headers
        resolve({ status: response.statusCode ?? 0, retryAfter, replayed: replayed === 'true', text })
      })
    })
    sent.setTimeout(timeoutMs, () => sent.destroy())
    sent.once('error', broken)
    sent.end(payload)
  })
}

export interface Sending {
  agent: Agent
  timeoutMs: number
}

const tokens = new Map<number, string>()

function tokenOf(user_id: number): string {
  const token = tokens.get(user_id) ?? signAccessToken(user_id)
  tokens.set(user_id, token)
  return token
}

/** Clients that post without a pause, and retry requests without a final answer as the API asks. */
export function startLoad({ targets, users, clients, timeoutMs = TIMEOUT_MS }: LoadOptions): Load {
  const agent = new Agent({ keepAlive: true })
  const answered: Answered[] = []
  let stopped = false

  async function insist(order: Order, first: number): Promise<Answered> {
    const tries: Try[] = []
    while (tries.length < TRIES_MAX) {
      const url = targets[(first + tries.length) % targets.length] as string
      const sentAt = performance.now()
      const reply = await send(url, order, { agent, timeoutMs })
      tries.push({ url, sentAt, ms: performance.now() - sentAt, status: reply?.status })
      if (reply && reply.status !== 503) return { order, reply, tries }
      await delay(RETRY_PAUSE_MS)
    }
    throw new Error(`${order.trans_id} has no answer after ${TRIES_MAX} tries`)
  }

  async function client(index: number): Promise<void> {
    let last: Order | undefined
    for (let turn = 0; !stopped; turn += 1) {
      const order = last && turn % REPLAY_EVERY === 0 ? last : makeOrder(users, index + turn)
      answered.push(await insist(order, index))
      last = order
    }
  }

  const running = Promise.all(Array.from({ length: clients }, (_, index) => client(index)))
  running.catch(() => {}) // told by `stop`
  return {
    answered,
    stop: async () => {
      stopped = true
      await running
      agent.destroy()
    },
  }
}

/** How often a client repeats a request that was already answered. */
const REPLAY_EVERY = 10

function makeOrder(users: readonly number[], turn: number): Order {
  const index = turn % 2 === 0 ? 0 : Math.floor(Math.random() * users.length)
  return {
    user_id: users[index] as number,
    // Debits are as large as credits, so some are refused, which is final.
    entry: Math.random() < 0.5 ? 'credit' : 'debit',
    amount: 1 + Math.floor(Math.random() * 100),
    trans_id: randomUUID(),
  }
}

export function bodyOf({ reply }: Answered): Json {
  return JSON.parse(reply.text)
}
