import type { describeMachine } from '../measure/process-usage.ts'
import type { Measurement } from '../suite.ts'
import type { GoalVerdict } from './goals.ts'

/** All results of one run; --json writes this. */
export interface Report {
  /** Figures of a quick run mean nothing. */
  quick: boolean
  began_at: string
  seconds: number
  machine: ReturnType<typeof describeMachine>
  tools: { load: string; ceiling: string; node: string }
  /** Variables of the services that were set where the bench was started. */
  settings: Record<string, string>
  measurements: Measurement[]
  goals: GoalVerdict[]
}
