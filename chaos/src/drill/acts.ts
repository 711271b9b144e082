import type { Drill } from './drill.ts'
import { loseBoth } from './lose-both.ts'
import { loseKafka } from './lose-kafka.ts'
import { restoreEverything } from './restore-everything.ts'
import { restoreToPoint } from './restore-to-point.ts'
import { restoreUnderApi } from './restore-under-api.ts'

/** In this order: what comes later builds on a system that has been through what came before. */
export const ACTS = {
  everything: restoreEverything,
  point: restoreToPoint,
  running: restoreUnderApi,
  kafka: loseKafka,
  both: loseBoth,
} as const satisfies Record<string, (drill: Drill) => Promise<void>>

export type Act = keyof typeof ACTS
