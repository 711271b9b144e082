import type { LaneStatus, OutboxState } from './read-outbox-state.ts'

export interface LaneFault {
  kind: 'halted' | 'stalled' | 'unheld' | 'unknown'
  partition: number
  message: string
}

/** A hand-over leaves a partition with nobody for a moment, a dead relay for a lease: that much is not a fault. */
const UNHELD_PATIENCE_S = 10

/** What is wrong with each partition. */
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
  if (!known) complaints.push(['unknown', `has ${rows} rows, and the relay has no lane for it`])
  if (age > maxAgeS) complaints.push(['stalled', `has a row that waits for ${Math.round(age)} s`])
  // Without a lease a halted partition is what it should be.
  const isHeld = lease !== null && !lease.expired
  if (known && !halted && !isHeld && age > UNHELD_PATIENCE_S)
    complaints.push(['unheld', 'has rows, and no relay holds it'])
  return complaints
}
