import { type Logger, sleep } from '@streamledger/runtime'
import { Doorbell, pollDelayMs } from './doorbell.ts'
import { runLane } from './lane.ts'
import type { HeldLease, LaneDeps } from './lane-step.ts'
import type { ClaimedLease, Leases } from './partition-lease.ts'

export interface RelayDeps extends LaneDeps {
  leases: Leases
  lease: { leaseMs: number; stepTimeoutMs: number }
}

/** Renewals within the duration of one lease. */
const RENEWALS_PER_LEASE = 3

/** Pause after another replica was faster to take an expired lease. */
const SHARE_INTERVAL_MS_MIN = 50

interface RunningLane extends HeldLease {
  /** When the lane's current step began, by the clock of this process; infinity while it rests. */
  stepSince: number
  stop: AbortController
  ended: Promise<void>
}

/** One replica. Holds its fair share of the partitions, runs a lane for each, and hands them over when it stops. */
export class Relay {
  readonly #deps: RelayDeps
  readonly #lanes = new Map<number, RunningLane>()
  readonly #handOvers = new Set<Promise<void>>()
  readonly #logger: Logger

  constructor(deps: RelayDeps) {
    this.#deps = deps
    this.#logger = deps.logger
  }

  /** Runs until aborted; resolves when every lane has confirmed its last batch and every lease is free. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#share(signal), this.#ring(signal)])
    for (const lane of this.#lanes.values()) this.#handOver(lane)
    await Promise.all(this.#handOvers)
    await this.#deps.leases
      .leave()
      .catch((error) => this.#logger.warn({ err: error }, 'could not remove this replica from the list of replicas'))
  }

  /** Keeps this replica's share: renews leases, hands over surplus ones, takes free ones. */
  async #share(signal: AbortSignal): Promise<void> {
    const intervalMs = this.#deps.lease.leaseMs / RENEWALS_PER_LEASE
    while (!signal.aborted) {
      let againInMs = intervalMs
      try {
        againInMs = Math.min(intervalMs, await this.shareOnce())
      } catch (error) {
        this.#logger.warn({ err: error }, 'could not share partitions, trying again')
      }
      await sleep(againInMs, signal)
    }
  }

  /** Returns the time until a partition may be free to take, if this replica has too few. */
  async shareOnce(): Promise<number> {
    const { leases, metrics } = this.#deps
    await this.#renew()
    const { share, nextExpiryMs } = await leases.survey()
    const kept = [...this.#lanes.values()].filter((lane) => !lane.stop.signal.aborted)
    // Not awaited: a lane that is slow to finish must not delay the renewal of the others.
    for (const lane of kept.slice(share)) this.#handOver(lane)
    if (kept.length < share) {
      for (const lease of await leases.claim(share - kept.length)) this.#startLane(lease)
    }
    metrics.leases.set(this.#lanes.size)
    const lacks = share > this.#lanes.size && nextExpiryMs !== null
    return lacks ? Math.max(SHARE_INTERVAL_MS_MIN, nextExpiryMs + 1) : Number.POSITIVE_INFINITY
  }

  /** The lease of a lane that is stuck in one step is not renewed. It expires, and another replica takes over. */
  async #renew(): Promise<void> {
    const lanes = [...this.#lanes.values()]
    if (lanes.length === 0) return
    const deadline = performance.now() - this.#deps.lease.stepTimeoutMs
    const renewed = await this.#deps.leases.renew(lanes.filter((lane) => lane.stepSince > deadline))
    const fresh = new Map(renewed.map((lease) => [lease.token, lease]))
    for (const lane of lanes) {
      const lease = fresh.get(lane.token)
      if (lease) lane.receiptStale = lease.receiptStale
      else {
        this.#logger.warn({ partition: lane.partition }, 'lease lost')
        this.#lanes.delete(lane.partition)
        lane.stop.abort()
      }
    }
  }

  #startLane({ takenOver, ...lease }: ClaimedLease): void {
    if (takenOver) this.#deps.metrics.takeOvers.inc()
    const stop = new AbortController()
    const lane: RunningLane = {
      ...lease,
      bell: new Doorbell(),
      lingers: false,
      receiptStale: false,
      stepSince: performance.now(),
      stop,
      ended: Promise.resolve(),
      progressed: () => {
        lane.stepSince = performance.now()
      },
      resting: () => {
        lane.stepSince = Number.POSITIVE_INFINITY
      },
    }
    this.#lanes.set(lease.partition, lane)
    this.#logger.info({ partition: lease.partition, takenOver }, 'lease taken')
    lane.ended = runLane(this.#deps, lane, stop.signal)
      .catch((error) => this.#logger.error({ err: error, partition: lease.partition }, 'lane failed'))
      .finally(() => {
        if (this.#lanes.get(lease.partition) === lane) this.#lanes.delete(lease.partition)
      })
  }

  #handOver(lane: RunningLane): void {
    const handOver = this.#stopLane(lane).finally(() => this.#handOvers.delete(handOver))
    this.#handOvers.add(handOver)
  }

  async #stopLane(lane: RunningLane): Promise<void> {
    lane.stop.abort()
    await lane.ended
    await this.#deps.leases
      .release(lane)
      .catch((error) =>
        this.#logger.warn({ err: error, partition: lane.partition }, 'could not release the lease, it will expire'),
      )
  }

  /** Asks Postgres which lanes have rows, and rings their bells. */
  async #ring(signal: AbortSignal): Promise<void> {
    const { outbox, pace } = this.#deps
    let rangAt = performance.now()
    while (!signal.aborted) {
      try {
        const waiting = [...this.#lanes.values()].filter((lane) => !lane.lingers).map(({ partition }) => partition)
        const rung = waiting.length > 0 ? await outbox.partitionsWithRows(waiting) : []
        for (const partition of rung) this.#lanes.get(partition)?.bell.ring()
        // A lane that lingers has rows, too.
        if (rung.length > 0 || waiting.length < this.#lanes.size) rangAt = performance.now()
      } catch (error) {
        this.#logger.warn({ err: error }, 'could not read the outbox, trying again')
        await sleep(pace.pollIdleMs, signal)
      }
      await sleep(pollDelayMs(performance.now() - rangAt, pace), signal)
    }
  }
}
