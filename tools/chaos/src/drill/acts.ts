import type { Drill } from './drill.ts'
import { loseBoth } from './lose-both.ts'
import { loseKafka } from './lose-kafka.ts'
import { restoreEverything } from './restore-everything.ts'
import { restoreToPoint } from './restore-to-point.ts'
import { restoreUnderApi } from './restore-under-api.ts'

/** The order matters: later acts run on a system that has been through the earlier ones. */
export const ACTS = {
  everything: restoreEverything,
  point: restoreToPoint,
  running: restoreUnderApi,
  kafka: loseKafka,
  both: loseBoth,
} as const satisfies Record<string, (drill: Drill) => Promise<void>>

export type Act = keyof typeof ACTS
