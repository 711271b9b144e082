import { backOffMs } from '@streamledger/runtime'
import type { Kafka } from './publisher.ts'

/** What a replica knows when its lanes fail. */
export interface Troubles {
  /** Partitions whose lanes have failed for too long. */
  failing: readonly number[]
  /** Whether other lanes of this replica succeed. */
  othersFlow: boolean
  /** The partitions that Kafka shows over new connections; undefined: it shows nothing. */
  shown: ReadonlySet<number> | undefined
  /** Whether another replica lives whose lanes succeed. */
  anotherIsWell: boolean
}

/**
 * Whether a replica gives its partitions up. Pure. It does so only for another replica that is well: if no replica
 * reaches Kafka, each keeps its partitions.
 *
 * - New connections show nothing: the network, the password, the certificate, or a broker that does not answer. Lanes
 *   that still succeed over old connections stop as soon as they need a new one.
 * - They show a failing partition, and no lane succeeds: Kafka refuses this replica, for example by an ACL.
 * - They show other partitions alone: that partition has no leader, for any replica.
 */
export function mustStepDown({ failing, othersFlow, shown, anotherIsWell }: Troubles): boolean {
  if (!anotherIsWell || failing.length === 0) return false
  if (!shown) return true
  return !othersFlow && failing.some((partition) => shown.has(partition))
}

const RETURN_PAUSE = { baseMs: 10_000, maxMs: 300_000 }
/** While no other replica lives, the partitions have no holder. */
const RETURN_PAUSE_ALONE_MS = 5_000

/**
 * The pause before a replica tries to return, after it has stepped down or has failed to return so many times in a row.
 * Pure but for the random part of the back-off.
 */
export function returnPauseMs(times: number, anotherLives: boolean, random?: () => number): number {
  const pauseMs = backOffMs(times, RETURN_PAUSE, random)
  return anotherLives ? pauseMs : Math.min(pauseMs, RETURN_PAUSE_ALONE_MS)
}

/** A lane that has failed for this long, or for two steps if they are longer, has failed for too long. */
const FAILING_MS = 10_000

interface Look {
  shown: ReadonlySet<number> | undefined
  at: number
}

/** Since when the lanes of a replica fail, and whether it has given its partitions up for that. */
export class Standing {
  readonly #kafka: Pick<Kafka, 'lookAnew'>
  readonly #failingMs: number
  readonly #stepTimeoutMs: number
  readonly #failingSince = new Map<number, number>()
  #reachedAt = performance.now()
  #awaySince: number | undefined
  #pauseMs = { alone: 0, beside: 0 }
  #times = 0
  #returnedAt = performance.now()
  #isLooking = false
  /** The answer of the last look over new connections, until it is used. */
  #look: Look | undefined

  constructor(kafka: Pick<Kafka, 'lookAnew'>, stepTimeoutMs: number) {
    this.#kafka = kafka
    this.#stepTimeoutMs = stepTimeoutMs
    this.#failingMs = Math.max(FAILING_MS, 2 * stepTimeoutMs)
  }

  /** The replica holds no partitions until it returns. */
  get isAway(): boolean {
    return this.#awaySince !== undefined
  }

  /** For the other replicas: this one's steps with Kafka fail, and none has succeeded for half of the time. */
  get isFailing(): boolean {
    return this.#failingSince.size > 0 && !this.#flows
  }

  get #flows(): boolean {
    return performance.now() - this.#reachedAt < this.#failingMs / 2
  }

  /** `since`: when the step began that failed. */
  failed(partition: number, since: number): void {
    if (!this.#failingSince.has(partition)) this.#failingSince.set(partition, Math.min(since, performance.now()))
  }

  reached(partition: number): void {
    this.#failingSince.delete(partition)
    this.#reachedAt = performance.now()
  }

  /** Other replicas hold all partitions but these. */
  keepOnly(held: { has(partition: number): boolean }): void {
    for (const partition of this.#failingSince.keys()) if (!held.has(partition)) this.#failingSince.delete(partition)
  }

  /** Lanes also fail while Postgres cannot be reached. That says nothing about Kafka. */
  postgresFailed(): void {
    this.#failingSince.clear()
  }

  /** Whether to give all partitions up now. To be asked once a second; it looks at Kafka in the meantime. */
  stepDown(anotherIsWell: boolean): boolean {
    // A look takes up to one step, so that its answer is there when the time is over.
    if (!anotherIsWell || this.#failingFor(this.#failingMs - this.#stepTimeoutMs).length === 0) return false
    const look = this.#takeLook()
    const failing = this.#failingFor(this.#failingMs)
    if (!look || !mustStepDown({ failing, othersFlow: this.#flows, shown: look.shown, anotherIsWell })) return false
    const now = performance.now()
    if (now - this.#returnedAt > RETURN_PAUSE.maxMs) this.#times = 0
    this.#failingSince.clear()
    this.#stayAway(now)
    return true
  }

  /** Whether to return now. To be asked once a second while away. */
  comeBack(anotherLives: boolean): boolean {
    const now = performance.now()
    const { alone, beside } = this.#pauseMs
    if (now - (this.#awaySince ?? now) < (anotherLives ? beside : alone)) return false
    const look = this.#takeLook()
    if (!look) return false
    if (look.shown === undefined) {
      this.#stayAway(now)
      return false
    }
    this.#awaySince = undefined
    this.#returnedAt = now
    this.#reachedAt = now
    return true
  }

  #stayAway(now: number): void {
    this.#times += 1
    this.#awaySince = now
    this.#pauseMs = { alone: returnPauseMs(this.#times, false), beside: returnPauseMs(this.#times, true) }
  }

  #failingFor(ms: number): number[] {
    const before = performance.now() - ms
    return [...this.#failingSince].filter(([, since]) => since <= before).map(([partition]) => partition)
  }

  /** The answer of the look that an earlier call started; without one, starts one. */
  #takeLook(): Look | undefined {
    const look = this.#look
    this.#look = undefined
    if (look && performance.now() - look.at < this.#failingMs / 2) return look
    if (!this.#isLooking) void this.#lookAnew()
    return undefined
  }

  async #lookAnew(): Promise<void> {
    this.#isLooking = true
    const shown = await this.#kafka.lookAnew().then(
      (sights) => new Set(sights.keys()),
      () => undefined,
    )
    this.#isLooking = false
    this.#look = { shown: shown && shown.size > 0 ? shown : undefined, at: performance.now() }
  }
}
