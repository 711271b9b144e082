import { setTimeout as delay } from 'node:timers/promises'

export interface CpuBudget {
  /** Before an export's first row: what the process has used since the last rest, for hours maybe, was not for exports. */
  begin(): void
  /** Resolves once the process may go on: at once, or after a rest that is as long as its work was above its share. */
  rest(signal: AbortSignal): Promise<void>
}

export interface CpuMeter {
  /** What all threads of this process have used of the processor, in ms. */
  usedMs(): number
  nowMs(): number
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Timers know no shorter rest. */
const REST_MIN_MS = 1
/** What was not used for longer than this is lost: a wait for the database is no leave to take the whole core afterwards. */
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
 * Keeps a process to a share of one core, in short rests: exports are work that can wait, and what shares the machine with
 * them, as an API, answers people.
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
