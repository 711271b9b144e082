import type { describeMachine } from '../measure/process-usage.ts'
import type { Measurement } from '../suite.ts'
import type { GoalVerdict } from './goals.ts'

/** Everything that one run found out; what --json writes. */
export interface Report {
  /** Figures of a quick run are not to be quoted. */
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
