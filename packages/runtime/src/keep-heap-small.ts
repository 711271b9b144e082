import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/**
 * Makes V8 collect garbage sooner, for services that process many short-lived rows. Measured: an exporter of 300,000
 * rows, without a database, peaked at 130 MB instead of 260, for about a quarter more CPU time; a relay that publishes
 * 600,000 rows peaked at 264 MB instead of 486, with no measurable loss of speed.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1') // the young generation keeps its initial size
  setFlagsFromString('--heap-growing-percent=60') // the old generation is collected after this growth
}

const MB = 1_048_576
const GROWTH_STEPS_MAX = 10_000

/**
 * Grows the young generation to this size and keeps it. V8 takes the size from the command line, or grows it while many
 * young objects survive. So this allocates objects that survive.
 */
export function growYoungSpace(mb: number): void {
  setFlagsFromString('--semi-space-growth-factor=2')
  const kept: object[][] = []
  for (let step = 0; step < GROWTH_STEPS_MAX && youngSpaceMb() < mb; step += 1) {
    kept.push(Array.from({ length: 100 }, (_, index) => ({ index })))
  }
  setFlagsFromString('--semi-space-growth-factor=1')
}

function youngSpaceMb(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
  return (young?.space_size ?? 0) / MB
}
