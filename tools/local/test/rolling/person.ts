import { randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, waitFor } from '@streamledger/testkit'
import { type Call, call, type Reply } from './call.ts'

/** Longer than none, shorter than the drain's delay: clients that are quiet for longer have to expect to be closed. */
const THINK_MAX_MS = 300
/** Of a hundred turns. */
const POSTINGS = 80
const LISTS = 12
const EXPORTS = 3
const EXPORT_TIMEOUT_MS = 240_000
const CONNECTIONS_MAX = 4

/** What a client has seen: every answer, and what it may rely on since. */
export interface Seen {
  replies: Reply[]
  /** The trans_ids that were answered 201. */
  acknowledged: string[]
  /** The export_ids that were answered 202. */
  ordered: string[]
}

/** One person with connections of their own, which stay open for as long as the API lets it. */
export class Person {
  readonly seen: Seen = { replies: [], acknowledged: [], ordered: [] }
  readonly #origin: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX })
  #token: string | undefined

  private constructor(origin: string) {
    this.#origin = origin
  }

  static async signUp(origin: string): Promise<Person> {
    const person = new Person(origin)
    const body = {
      ...{ first_name: 'Ada', last_name: 'Obi' },
      ...{ email: `${randomUUID()}@example.com`, password: 'a-quiet-harbour-42' },
    }
    const { status, json } = await person.#call('POST', '/auth/signup', { body })
    expect(status).toBe(201)
    person.#token = json.access_token.token
    return person
  }

  async #call(method: string, path: string, options: Call = {}): Promise<Reply> {
    const reply = await call(this.#agent, this.#origin, [method, path], { token: this.#token, ...options })
    this.seen.replies.push(reply)
    return reply
  }

  async post(): Promise<void> {
    const trans_id = randomUUID()
    const { status } = await this.#call('POST', '/transactions', { body: { entry: 'credit', amount: 100, trans_id } })
    if (status === 201) this.seen.acknowledged.push(trans_id)
  }

  async list(): Promise<void> {
    await this.#call('GET', '/transactions?limit=5')
  }

  async orderExport(): Promise<string> {
    const { status, json } = await this.#call('POST', '/transactions/export', { body: {} })
    if (status !== 202) return ''
    this.seen.ordered.push(json.export_id)
    return json.export_id
  }

  async exportStatus(id: string): Promise<string> {
    return (await this.#call('GET', `/transactions/exports/${id}`)).json?.status
  }

  /** The whole file, once it is there. */
  async awaitExport(id: string): Promise<void> {
    const isDone = async () => expect(await this.exportStatus(id)).toBe('succeeded')
    await waitFor(isDone, { timeoutMs: EXPORT_TIMEOUT_MS, intervalMs: 200 })
    await this.#call('GET', `/transactions/exports/${id}/file`)
  }

  /** Does something every now and then; one export at a time. */
  async act(signal: AbortSignal): Promise<void> {
    let exporting: string | undefined
    while (!signal.aborted) {
      const turn = Math.random() * 100
      if (turn < POSTINGS) await this.post()
      else if (turn < POSTINGS + LISTS) await this.list()
      else if (turn < POSTINGS + LISTS + EXPORTS && exporting === undefined) exporting = await this.orderExport()
      else if (exporting !== undefined && (await this.exportStatus(exporting)) === 'succeeded') exporting = undefined
      await delay(Math.random() * THINK_MAX_MS)
    }
  }

  leave(): void {
    this.#agent.destroy()
  }
}

export const isFailure = ({ status }: Reply): boolean => status === undefined || status >= 400
