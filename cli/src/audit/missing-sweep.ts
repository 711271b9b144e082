import type { Topic } from '@streamledger/db'
import { partitionFor } from '@streamledger/events'
import type { Pool } from 'pg'
import { missingFault, type TopicFaultLog } from '../reconcile/topic-faults.ts'
import { CLOCK_SKEW_MS } from '../reconcile/topic-range.ts'
import type { AuditState } from './audit-state.ts'

export interface SweepOptions {
  /** Between two searches of the ledger. */
  intervalMs: number
  /** How long an event may be unreadable after its row has left the outbox: the broker writes its marker after the commit. */
  graceMs: number
}

/** The transactions that one search found for a partition, and that must appear in the topic. */
interface Question {
  askedAt: Date
  /** The last sequence of each wallet that must appear. */
  limits: Map<number, number>
  /** Every row of these transactions has this id or a lower one. */
  outboxId: number
  /** Since when none of them is in the outbox, as of performance.now(). */
  leftAt: number | undefined
  /** How often it was due, and its transactions not in the topic. */
  looks: number
  /** Not all wallets fitted: the next search begins at the same time again. */
  isPart: boolean
}

/** Bounds the memory of a search while a partition makes no progress. */
const WALLETS_PER_QUESTION_MAX = 20_000
const WALLETS_PER_PAGE = 10_000
/** Before anything counts as missing, it is looked for so often over new connections, each of which begins with the next broker. */
const LOOKS_ANEW = 3
/** A search reads the wallets table once. It may take at most this share of the time. */
const SHARE_MAX = 0.05

// No visible row has such an id. A row that is not committed yet belongs to no transaction of the question.
const LEFT = `
  select partition from unnest($1::int[], $2::bigint[]) as wanted (partition, id)
   where not exists (select from outbox o where o.partition = wanted.partition and o.id <= wanted.id)`

export interface SweepDeps {
  pool: Pool
  topic: Topic
  state: AuditState
  options: SweepOptions
}

/**
 * Finds transactions that have left the outbox and have no event. It reads in the order that `reconcile` needs: first the
 * ledger, then the outbox, then the end of the topic, then everything up to that end. Partitions do not wait for each other.
 */
export class MissingSweep {
  readonly #deps: SweepDeps
  readonly #questions = new Map<number, Question>()
  /** Per partition: everything posted before this time is in the topic, or was counted as missing. */
  readonly #answered: Map<number, Date>
  #nextAt = 0

  constructor(deps: SweepDeps, answeredAt: Date) {
    this.#deps = deps
    this.#answered = new Map(Array.from({ length: deps.topic.partitions }, (_, partition) => [partition, answeredAt]))
  }

  /**
   * Answers open questions if it can, and asks new ones when it is time. `ends`: how far the topic was readable before. Returns
   * whether the next look must be over new connections, because something seems to be missing.
   */
  async step(ends: ReadonlyMap<number, number>, faults: TopicFaultLog): Promise<boolean> {
    const isDoubtful = await this.#answer(ends, faults)
    if (performance.now() >= this.#nextAt) await this.#ask()
    this.#deps.state.judgedAt = new Date(Math.min(...[...this.#answered.values()].map((date) => date.getTime())))
    return isDoubtful
  }

  async #ask(): Promise<void> {
    const startedAt = performance.now()
    const { pool } = this.#deps
    const { rows: clock } = await pool.query<{ now: Date }>('select clock_timestamp() as now')
    const askedAt = clock[0]?.now as Date
    const asked = new Map<number, Question>()
    for (const partition of this.#answered.keys()) {
      if (this.#questions.has(partition)) continue
      asked.set(partition, { askedAt, limits: new Map(), outboxId: 0, leftAt: undefined, looks: 0, isPart: false })
    }
    await this.#addChanged(asked)
    await this.#addGaps(asked)
    // Only now: the outbox rows of all transactions that were seen have their ids.
    const { rows } = await pool.query<{ last: number }>(
      `select last_value as last from pg_sequences
        where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('outbox', 'id')`,
    )
    for (const [partition, question] of asked) {
      question.outboxId = rows[0]?.last ?? 0
      if (question.limits.size > 0) this.#questions.set(partition, question)
      else this.#answered.set(partition, askedAt)
    }
    const now = performance.now()
    this.#nextAt = now + Math.max(this.#deps.options.intervalMs, (now - startedAt) / SHARE_MAX)
  }

  /** Adds wallets that have changed since the last question and whose events are not all read. */
  async #addChanged(asked: ReadonlyMap<number, Question>): Promise<void> {
    const answered = [...asked.keys()].map((partition) => (this.#answered.get(partition) as Date).getTime())
    if (answered.length === 0) return
    const since = new Date(Math.min(...answered) - CLOCK_SKEW_MS)
    for (let after = 0; ; ) {
      const { rows } = await this.#deps.pool.query<{ id: number; user_id: number; sequence: number }>(
        'select id, user_id, sequence from wallets where id > $1 and updated_at >= $2 order by id limit $3',
        [after, since, WALLETS_PER_PAGE],
      )
      for (const { id, user_id, sequence } of rows) {
        if (sequence > this.#deps.state.places.lastOf(id)) this.#add(asked, { id, user_id, limit: sequence })
      }
      if (rows.length < WALLETS_PER_PAGE) return
      after = rows.at(-1)?.id as number
    }
  }

  /** Adds wallets with later events in the topic and earlier ones missing. */
  async #addGaps(asked: ReadonlyMap<number, Question>): Promise<void> {
    const { places } = this.#deps.state
    const wallets: number[] = []
    for (const wallet of places.withGaps()) {
      if (wallets.length === WALLETS_PER_PAGE) break // the next search takes the rest
      wallets.push(wallet)
    }
    if (wallets.length === 0) return
    const { rows } = await this.#deps.pool.query<{ id: number; user_id: number }>(
      'select id, user_id from wallets where id = any($1::bigint[])',
      [wallets],
    )
    for (const row of rows) this.#add(asked, { ...row, limit: places.lastOf(row.id) })
  }

  #add(asked: ReadonlyMap<number, Question>, wallet: { id: number; user_id: number; limit: number }): void {
    const question = asked.get(partitionFor(String(wallet.user_id), this.#deps.topic.partitions))
    if (!question) return
    if (question.limits.size < WALLETS_PER_QUESTION_MAX) {
      question.limits.set(wallet.id, Math.max(wallet.limit, question.limits.get(wallet.id) ?? 0))
    } else question.isPart = true
  }

  async #answer(ends: ReadonlyMap<number, number>, faults: TopicFaultLog): Promise<boolean> {
    let isDoubtful = false
    const { state, options } = this.#deps
    for (const [partition, question] of this.#questions) {
      for (const [wallet, limit] of question.limits) {
        if (state.places.hasAll(wallet, limit)) question.limits.delete(wallet)
      }
      if (question.limits.size === 0) this.#close(partition, question)
    }
    const left = await this.#findLeft()
    const now = performance.now()
    for (const partition of left) {
      const question = this.#questions.get(partition) as Question
      // The ends of this step were read before the outbox was seen without the rows, so this step must not answer.
      const isDue = question.leftAt !== undefined && now - question.leftAt >= options.graceMs
      question.leftAt ??= now
      if (!isDue || (state.positions.get(partition) ?? 0) < (ends.get(partition) ?? Number.POSITIVE_INFINITY)) continue
      question.looks += 1
      if (question.looks > LOOKS_ANEW) {
        this.#countMissing(question, faults)
        this.#close(partition, question)
      } else isDoubtful = true
    }
    return isDoubtful
  }

  #close(partition: number, { isPart, askedAt }: Question): void {
    this.#questions.delete(partition)
    if (!isPart) this.#answered.set(partition, askedAt)
  }

  /** Partitions whose outbox has no more rows of their question. */
  async #findLeft(): Promise<number[]> {
    if (this.#questions.size === 0) return []
    const ids = [...this.#questions.values()].map(({ outboxId }) => outboxId)
    const { rows } = await this.#deps.pool.query<{ partition: number }>(LEFT, [[...this.#questions.keys()], ids])
    return rows.map(({ partition }) => partition)
  }

  #countMissing({ limits }: Question, faults: TopicFaultLog): void {
    for (const [wallet_id, limit] of limits) {
      for (const { from, to } of this.#deps.state.places.takeMissing(wallet_id, limit)) {
        faults.add(missingFault(wallet_id, { from, to }), to - from + 1)
      }
    }
  }
}
