import type { PlannedFault } from '../schedule/draw-schedule.ts'
import type { Stack } from '../stack/open-stack.ts'

/** The result of a fault. */
export interface Effect {
  /**
   * It was seen to take effect: a process was gone or held, a connection was cut. A fault that missed does not count.
   */
  confirmed: boolean
  /** In a few words, for the log. */
  detail: string
}

export interface FaultDeps {
  readonly stack: Stack
  /** Requests that this API has not answered yet. */
  readonly inFlight: (api: string) => number
  readonly orderExports: (count: number) => void
  readonly signal: AbortSignal
}

/** Injects the fault, and resolves when its victim has recovered. */
export type Inject = (fault: PlannedFault, deps: FaultDeps) => Promise<Effect>

/** Time from start to readiness, even if engines go down meanwhile. */
export const RECOVERY_MAX_MS = 120_000
