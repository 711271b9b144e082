import { backOffMs, type Logger, OutageLog, sleep } from '@streamledger/runtime'
import { traceFields } from '@streamledger/tracing'
import { Doorbell, pollDelayMs } from './doorbell.ts'
import { runLane } from './lane.ts'
import type { HeldLease, LaneDeps } from './lane-step.ts'
import { LaneMovedError } from './outbox.ts'
import type { ClaimedLease, Leases } from './partition-lease.ts'
import { BatchRefusedError } from './publisher.ts'
import { ReceiptBehindError } from './recover.ts'
import { Standing } from './step-down.ts'

export interface RelayDeps extends LaneDeps {
  leases: Leases
  lease: { leaseMs: number; stepTimeoutMs: number }
}

/** Renewals within the duration of one lease. */
const RENEWALS_PER_LEASE = 3

/** Pause after another replica was faster to take an expired lease. */
const SHARE_INTERVAL_MS_MIN = 50

/** Pauses while the outbox cannot be read. An idle lane then still reads it by itself, now and then. */
const RING_BACK_OFF = { baseMs: 100, maxMs: 2_000 }

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
  readonly #standing: Standing
  /** Lanes whose last step failed. */
  readonly #inDoubt = new Set<RunningLane>()
  readonly #laneOutage: OutageLog
  readonly #shareOutage: OutageLog
  readonly #ringOutage: OutageLog

  constructor(deps: RelayDeps) {
    this.#deps = deps
    this.#logger = deps.logger
    this.#standing = new Standing(deps.kafka, deps.lease.stepTimeoutMs)
    this.#laneOutage = new OutageLog(deps.logger, 'no partition of this replica is in doubt any more')
    this.#shareOutage = new OutageLog(deps.logger, 'partitions are shared again')
    this.#ringOutage = new OutageLog(deps.logger, 'the outbox is read again')
  }

  /** Whether it holds no partitions because it cannot use Kafka, and another replica can. */
  get isAway(): boolean {
    return this.#standing.isAway
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
        this.#shareOutage.ended()
      } catch (error) {
        this.#standing.postgresFailed()
        this.#shareOutage.failed('could not share partitions, trying again', error)
      }
      await sleep(againInMs, signal)
    }
  }

  /** Returns the time until a partition may be free to take, if this replica has too few. */
  async shareOnce(): Promise<number> {
    const { leases, metrics } = this.#deps
    await this.#renew()
    if (this.isAway) {
      if (!this.#standing.comeBack(await leases.anotherLives())) return Number.POSITIVE_INFINITY
      metrics.steppedDown.set(0)
      this.#logger.info('Kafka answers this replica again, it takes its partitions back')
    }
    const { share, nextExpiryMs, anotherIsWell } = await leases.survey(this.#standing.isFailing)
    if (this.#standing.stepDown(anotherIsWell)) {
      await this.#stepDown()
      return Number.POSITIVE_INFINITY
    }
    const kept = [...this.#lanes.values()].filter((lane) => !lane.stop.signal.aborted)
    // Not awaited: a lane that is slow to finish must not delay the renewal of the others.
    for (const lane of kept.slice(share)) this.#handOver(lane)
    if (kept.length < share) {
      for (const lease of await leases.claim(share - kept.length)) this.#startLane(lease)
    }
    metrics.leases.set(this.#lanes.size)
    if (this.#lanes.size >= share) this.#standing.keepOnly(this.#lanes)
    const lacks = share > this.#lanes.size && nextExpiryMs !== null
    return lacks ? Math.max(SHARE_INTERVAL_MS_MIN, nextExpiryMs + 1) : Number.POSITIVE_INFINITY
  }

  /** Gives all partitions to the other replicas, and does not count as one until it returns. */
  async #stepDown(): Promise<void> {
    const { leases, metrics } = this.#deps
    metrics.steppedDown.set(1)
    metrics.leases.set(0)
    this.#logger.error(
      { partitions: [...this.#lanes.keys()] },
      'this replica cannot use Kafka and another can: it gives its partitions up, and tries again at growing pauses',
    )
    for (const lane of [...this.#lanes.values()]) {
      this.#lanes.delete(lane.partition)
      this.#handOver(lane, { waits: false })
    }
    await leases.leave()
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
        if (lane.stepSince <= deadline) this.#standing.failed(lane.partition, lane.stepSince)
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
      reached: () => {
        this.#standing.reached(lane.partition)
        this.#leaveDoubt(lane)
      },
      failed: (error) => this.#failed(lane, error),
    }
    this.#lanes.set(lease.partition, lane)
    this.#logger.info({ partition: lease.partition, takenOver }, 'lease taken')
    lane.ended = runLane(this.#deps, lane, stop.signal)
      .catch((error) => this.#logger.error({ err: error, partition: lease.partition }, 'lane failed'))
      .finally(() => {
        this.#leaveDoubt(lane)
        if (this.#lanes.get(lease.partition) === lane) this.#lanes.delete(lease.partition)
      })
  }

  #failed(lane: RunningLane, error: unknown): void {
    const { partition, trace, stepSince } = lane
    const isRefused = error instanceof BatchRefusedError
    const message = isRefused ? 'batch refused, trying again' : 'outcome unknown, recovering'
    const fields = { partition, ...traceFields(trace) }
    // The lease or the batch is another one. That is no outage, and the log has a line for each lane.
    if (error instanceof LaneMovedError) {
      this.#logger.warn({ err: error, ...fields }, message)
      return
    }
    this.#inDoubt.add(lane)
    this.#laneOutage.failed(message, error, fields)
    // Kafka answers, only too little. In another replica the patience would start again, and a batch would be refused, too.
    if (!isRefused && !(error instanceof ReceiptBehindError) && this.#lanes.get(partition) === lane) {
      this.#standing.failed(partition, stepSince)
    }
  }

  #leaveDoubt(lane: RunningLane): void {
    this.#inDoubt.delete(lane)
    if (this.#inDoubt.size === 0) this.#laneOutage.ended()
  }

  /** `waits`: for the end of the lane. A lane that fails may need long for that, and has nothing to hand over. */
  #handOver(lane: RunningLane, { waits }: { waits: boolean } = { waits: true }): void {
    const handOver = this.#stopLane(lane, waits).finally(() => this.#handOvers.delete(handOver))
    this.#handOvers.add(handOver)
  }

  async #stopLane(lane: RunningLane, waits: boolean): Promise<void> {
    lane.stop.abort()
    if (waits) await lane.ended
    await this.#deps.leases
      .release(lane)
      .catch((error) =>
        this.#logger.warn({ err: error, partition: lane.partition }, 'could not release the lease, it will expire'),
      )
    await lane.ended
  }

  /** Asks Postgres which lanes have rows, and rings their bells. */
  async #ring(signal: AbortSignal): Promise<void> {
    const { outbox, pace } = this.#deps
    let rangAt = performance.now()
    let failures = 0
    while (!signal.aborted) {
      try {
        const waiting = [...this.#lanes.values()].filter((lane) => !lane.lingers).map(({ partition }) => partition)
        const rung = waiting.length > 0 ? await outbox.partitionsWithRows(waiting) : []
        if (waiting.length > 0) this.#ringOutage.ended()
        for (const partition of rung) this.#lanes.get(partition)?.bell.ring()
        // A lane that lingers has rows, too.
        if (rung.length > 0 || waiting.length < this.#lanes.size) rangAt = performance.now()
        failures = 0
      } catch (error) {
        failures += 1
        this.#ringOutage.failed('could not read the outbox, trying again', error)
        await sleep(backOffMs(failures, RING_BACK_OFF), signal)
      }
      await sleep(pollDelayMs(performance.now() - rangAt, pace), signal)
    }
  }
}
