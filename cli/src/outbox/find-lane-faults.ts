import type { LaneStatus, OutboxState } from './read-outbox-state.ts'

export interface LaneFault {
  kind: 'halted' | 'stalled' | 'unheld' | 'unknown'
  partition: number
  message: string
}

/** A partition may have no relay for a moment after a hand-over, and for a lease after a relay died: that is no fault. */
const UNHELD_PATIENCE_S = 10

/** Finds the faults of each partition. */
export function findLaneFaults({ lanes }: OutboxState, maxAgeS: number): LaneFault[] {
  return lanes.flatMap((lane) => {
    const { partition } = lane
    return complain(lane, maxAgeS).map(([kind, text]) => ({
      kind,
      partition,
      message: `partition ${partition} ${text}`,
    }))
  })
}

function complain(lane: LaneStatus, maxAgeS: number): [LaneFault['kind'], string][] {
  const { oldest_s, lease, halted, known, rows } = lane
  const complaints: [LaneFault['kind'], string][] = []
  const age = oldest_s ?? 0
  if (halted) complaints.push(['halted', `is halted since ${halted.since.toISOString()}: ${halted.reason}`])
  if (!known) complaints.push(['unknown', `has ${rows} rows, and relays do not know it`])
  if (age > maxAgeS) complaints.push(['stalled', `has a row that has waited for ${Math.round(age)} s`])
  // A halted partition has no lease, and needs none.
  const isHeld = lease !== null && !lease.expired
  if (known && !halted && !isHeld && age > UNHELD_PATIENCE_S)
    complaints.push(['unheld', 'has rows, and no relay holds it'])
  return complaints
}
