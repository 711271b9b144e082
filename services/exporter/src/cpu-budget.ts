import { setTimeout as delay } from 'node:timers/promises'

export interface CpuBudget {
  /** Call it before an export's first row. CPU time used since the last rest, maybe hours ago, was not for exports. */
  begin(): void
  /** Resolves at once if the process is within its share, otherwise after a pause that brings it back to its share. */
  rest(signal: AbortSignal): Promise<void>
}

export interface CpuMeter {
  /** CPU time of all threads of this process. */
  usedMs(): number
  nowMs(): number
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Timers cannot be shorter. */
const REST_MIN_MS = 1
/** Unused time beyond this is lost, so that a wait for the database does not allow a whole core afterwards. */
const CREDIT_MAX_MS = 20

const OWN: CpuMeter = {
  usedMs: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  },
  nowMs: () => performance.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
}

/**
 * Limits the process to a share of one core by short pauses. Exports can wait; other services on the machine, such as
 * the API, answer people.
 *
 * @param percent of one core; all exports of the process share it
 */
export function createCpuBudget(percent: number, meter: CpuMeter = OWN): CpuBudget {
  let usedMs = meter.usedMs()
  let paidUntilMs = meter.nowMs()
  return {
    begin() {
      usedMs = meter.usedMs()
    },
    async rest(signal) {
      const workMs = meter.usedMs() - usedMs
      usedMs += workMs
      paidUntilMs = Math.max(paidUntilMs, meter.nowMs() - workMs - CREDIT_MAX_MS) + (workMs * 100) / percent
      const restMs = paidUntilMs - meter.nowMs()
      if (restMs >= REST_MIN_MS) await meter.sleep(restMs, signal)
    },
  }
}
