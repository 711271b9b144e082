import { createHash, randomInt, randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { callApi, type Reply } from './call-api.ts'
import type { LoadOptions } from './load.ts'
import type { User } from './sign-up.ts'

export type ExportOrdersOptions = Pick<LoadOptions, 'apiUrls' | 'users' | 'onWrong'>

export interface ExportView {
  export_id: string
  status: string
  rows_total: number | null
  sha256: string | null
}

const EVERY_MS = { min: 3_000, max: 9_000 }
/** Limits an export of the hot wallet to its most recent transactions. */
const HOT_HISTORY_MS = 180_000
const POLL_MS = 500
const RETRY_PAUSE_MS = 200
const UNFINISHED = new Set(['queued', 'running'])
const TIMEOUT_MS = 10_000

/** Users who order workbooks at intervals, wait for them, and download them. */
export class ExportOrders {
  readonly counts = { ordered: 0, downloaded: 0 }
  readonly #options: ExportOrdersOptions
  readonly #agent = new Agent({ keepAlive: true })
  readonly #underWay = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  readonly #ordering: Promise<void>

  constructor(options: ExportOrdersOptions) {
    this.#options = options
    this.#ordering = this.#orderNowAndThen()
  }

  /** Orders workbooks at once, so that an exporter has something to do. */
  orderSome(count: number): void {
    for (let at = 0; at < count; at++) {
      const one = this.#orderOne().finally(() => this.#underWay.delete(one))
      this.#underWay.add(one)
    }
  }

  /** Orders no more; the verdict waits for unfinished ones. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#ordering
    await Promise.all(this.#underWay)
    this.#agent.destroy()
  }

  async #orderNowAndThen(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#pause(randomInt(EVERY_MS.min, EVERY_MS.max))
      if (!this.#stopping.signal.aborted) this.orderSome(1)
    }
  }

  async #orderOne(): Promise<void> {
    const { users } = this.#options
    const hot = randomInt(2) === 0
    const user = users[hot ? 0 : randomInt(users.length)] as User
    const body = hot ? { from: new Date(Date.now() - HOT_HISTORY_MS).toISOString() } : {}
    const headers = { 'idempotency-key': randomUUID() }
    const call = { method: 'POST', path: '/transactions/export', token: user.token, body, headers } as const
    const ordered = await this.#insist(call)
    if (!ordered || ordered.status === 429) return // a user may have at most five unfinished ones
    // 200: an earlier try had ordered it, and it has failed since.
    if (ordered.status !== 202 && ordered.status !== 200) {
      return this.#options.onWrong(`an export was answered ${ordered.status}: ${ordered.body}`)
    }
    this.counts.ordered += 1
    await this.#follow(user, JSON.parse(ordered.body.toString()) as ExportView)
  }

  async #follow(user: User, view: ExportView): Promise<void> {
    const path = `/transactions/exports/${view.export_id}`
    let state = view
    while (UNFINISHED.has(state.status)) {
      await this.#pause(POLL_MS)
      if (this.#stopping.signal.aborted) return
      const reply = await this.#insist({ method: 'GET', path, token: user.token })
      if (!reply) return
      state = JSON.parse(reply.body.toString()) as ExportView
    }
    if (state.status !== 'succeeded') return // the verdict asks the database
    const file = await this.#insist({ method: 'GET', path: `${path}/file`, token: user.token })
    if (!file) return
    const sha256 = createHash('sha256').update(file.body).digest('hex')
    if (file.status !== 200 || sha256 !== state.sha256) {
      return this.#options.onWrong(`export ${state.export_id}: its file was answered ${file.status}, sha256 ${sha256}`)
    }
    this.counts.downloaded += 1
  }

  async #insist(call: Parameters<typeof callApi>[2]): Promise<Reply | undefined> {
    for (;;) {
      const urls = this.#options.apiUrls()
      const target = urls[randomInt(Math.max(1, urls.length))]
      const reply = target && (await callApi(this.#agent, target.url, { ...call, timeoutMs: TIMEOUT_MS }))
      if (reply && reply.status !== 503) return reply
      if (this.#stopping.signal.aborted) return undefined
      await this.#pause(RETRY_PAUSE_MS)
    }
  }

  #pause(ms: number): Promise<void> {
    return delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }
}
