import { randomInt, randomUUID } from 'node:crypto'
import { Agent } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, type Order, readProblem, toAnswer } from './answer.ts'
import type { AnswerFile } from './answer-file.ts'
import type { Reply } from './call-api.ts'
import { lookUp } from './look-up.ts'
import { sendOrder } from './send-order.ts'
import type { User } from './sign-up.ts'

export interface LoadOptions {
  /** Called for each try, because replicas come and go. */
  readonly apiUrls: () => readonly { name: string; url: string }[]
  /** The first of them is the hot one. */
  readonly users: readonly User[]
  /** Maximum number of new orders per second. */
  readonly rate: number
  readonly answers: AnswerFile
  /** Called for a wrong answer. */
  readonly onWrong: (line: string) => void
}

const CLIENTS = 32
/** Percent of turns that repeat an old order, or repeat one with another amount; the others send a new one. */
const REPLAY_PERCENT = 10
const ALTERED_PERCENT = 3
const HOT_PERCENT = 20
const AMOUNT_MAX = 1_000
/** Replayed orders are taken from this many of the latest. */
const REMEMBERED_MAX = 5_000
const RETRY_PAUSE_MS = { min: 50, max: 250 }

/**
 * Clients that send again under the same trans_id, on one API after another, until they have a final answer. After each try that
 * failed they look the outcome up, too: what a look-up says must be the final answer.
 */
export class Load {
  readonly counts = {
    ...{ answered: 0, refused: 0, replays: 0, altered: 0 },
    ...{ tries: 0, cut_off: 0, replayed_after_retry: 0, looked_up: 0 },
  }
  readonly #options: LoadOptions
  readonly #agent = new Agent({ keepAlive: true })
  readonly #inFlight = new Map<string, number>()
  readonly #remembered: { order: Order; answer: Answer }[] = []
  readonly #stopping = new AbortController()
  readonly #running: Promise<unknown>
  #turn = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#running = Promise.all(Array.from({ length: CLIENTS }, (_, index) => this.#runClient(index)))
    this.#running.catch(() => {}) // not unhandled: stop() awaits it
  }

  /** Requests that this API has not answered yet. */
  inFlight(name: string): number {
    return this.#inFlight.get(name) ?? 0
  }

  /** Resolves when everything that was sent has its final answer. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#agent.destroy()
  }

  /** Stops at once, even with requests in flight. */
  abandon(): void {
    this.#abandoned = true
    this.#stopping.abort()
    this.#agent.destroy()
  }
  #abandoned = false

  /** Recent orders and their answers, to repeat them after recovery. */
  get remembered(): readonly { order: Order; answer: Answer }[] {
    return this.#remembered
  }

  async #runClient(index: number): Promise<void> {
    const intervalMs = (1_000 * CLIENTS) / this.#options.rate
    let due = performance.now() + (intervalMs * index) / CLIENTS
    while (!this.#stopping.signal.aborted) {
      await delay(Math.max(0, due - performance.now()), undefined, { signal: this.#stopping.signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return
      await this.#takeTurn()
      // Orders that could not be sent during an outage are not sent later: the rate is a maximum.
      due = Math.max(due + intervalMs, performance.now())
    }
  }

  async #takeTurn(): Promise<void> {
    const percent = randomInt(100)
    const known = this.#remembered.length > 0 ? this.#remembered[randomInt(this.#remembered.length)] : undefined
    if (known && percent < REPLAY_PERCENT) await this.#replay(known)
    else if (known && percent < REPLAY_PERCENT + ALTERED_PERCENT) await this.#alter(known)
    else await this.#order(this.#drawOrder())
  }

  #drawOrder(): Order {
    const { users } = this.#options
    const user = users[randomInt(100) < HOT_PERCENT ? 0 : randomInt(users.length)] as User
    const entry = randomInt(2) === 0 ? 'credit' : 'debit'
    return { user, entry, amount: randomInt(1, AMOUNT_MAX + 1), trans_id: randomUUID() }
  }

  async #order(order: Order): Promise<void> {
    const answer = await this.#insist(order)
    if (!answer) return
    this.#options.answers.add(answer)
    this.counts.answered += 1
    if (answer.status !== 201) this.counts.refused += 1
    this.#remember({ order, answer })
  }

  #remember(one: { order: Order; answer: Answer }): void {
    if (this.#remembered.length < REMEMBERED_MAX) this.#remembered.push(one)
    else this.#remembered[randomInt(REMEMBERED_MAX)] = one
  }

  async #replay({ order, answer }: { order: Order; answer: Answer }): Promise<void> {
    const again = await this.#insist(order)
    if (!again) return
    this.counts.replays += 1
    if (again.status === answer.status && again.body === answer.body) return
    this.#options.onWrong(
      `trans_id ${order.trans_id}: answered ${JSON.stringify(answer)}, then ${JSON.stringify(again)}`,
    )
  }

  /** Sends another amount with a known trans_id, which must be refused. */
  async #alter({ order }: { order: Order }): Promise<void> {
    const reply = await this.#send({ ...order, amount: order.amount + 1 })
    if (!reply) return
    this.counts.altered += 1
    const { code } = readProblem(reply.body.toString())
    if (reply.status === 422 && code === 'trans_id_reused') return
    this.#options.onWrong(`trans_id ${order.trans_id} with another amount: ${reply.status} ${reply.body}`)
  }

  async #insist(order: Order): Promise<Answer | undefined> {
    const outcomes = new Set<string>()
    try {
      const reply = await this.#send(order, outcomes)
      if (!reply) return undefined
      const answer = toAnswer(order, reply.status, reply.body.toString())
      for (const outcome of outcomes) {
        if (outcome === answer.body) continue
        this.#options.onWrong(`trans_id ${order.trans_id}: looked up as ${outcome}, then answered ${answer.body}`)
      }
      return answer
    } catch (error) {
      this.#options.onWrong((error as Error).message)
      return undefined
    }
  }

  /** Retries until there is a final answer; a 503 or a broken connection is not final. */
  async #send(order: Order, outcomes?: Set<string>): Promise<Reply | undefined> {
    for (let tries = 1; !this.#abandoned; tries++) {
      const urls = this.#options.apiUrls()
      const target = urls[this.#turn++ % Math.max(1, urls.length)]
      if (target) {
        this.counts.tries += 1
        this.#inFlight.set(target.name, this.inFlight(target.name) + 1)
        const reply = await sendOrder(this.#agent, target.url, order)
        this.#inFlight.set(target.name, this.inFlight(target.name) - 1)
        if (!reply) this.counts.cut_off += 1
        else if (reply.status !== 503) {
          // An earlier try had taken effect, but its answer was lost. Idempotency solves this.
          if (tries > 1 && reply.replayed) this.counts.replayed_after_retry += 1
          return reply
        }
        if (outcomes) await this.#lookUp(order, outcomes)
      }
      await delay(randomInt(RETRY_PAUSE_MS.min, RETRY_PAUSE_MS.max))
    }
    return undefined
  }

  /** Adds what an API knows of this order. */
  async #lookUp(order: Order, outcomes: Set<string>): Promise<void> {
    const urls = this.#options.apiUrls()
    const target = urls[this.#turn % Math.max(1, urls.length)]
    const outcome = target && (await lookUp(this.#agent, target.url, order))
    if (outcome === undefined) return
    this.counts.looked_up += 1
    outcomes.add(outcome)
  }
}
