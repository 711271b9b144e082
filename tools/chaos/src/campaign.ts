import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { InjectedFault } from './faults/run-faults.ts'
import { type FaultKind, faultKinds, MINIMUMS } from './schedule/fault-kinds.ts'
import type { VerdictKind } from './verdict/findings.ts'
import type { Judged } from './verdict/judge-system.ts'

export interface FaultCount {
  injected: number
  /** Seen to take effect. */
  confirmed: number
}

export type FaultCounts = Record<FaultKind, FaultCount>

/** One run of a campaign, after its verdict. */
export interface Piece {
  began_at: string
  seconds: number
  /** Index of the first fault in the schedule, and the index after the last. */
  from: number
  to: number
  faults: FaultCounts
  load: Record<string, number>
  /** Exporters that ended and were restarted; they end if they cannot write how a job has ended. */
  exporter_exits: number
  judged: Judged | undefined
  verdict: Record<VerdictKind, number>
  ok: boolean
}

export interface Campaign {
  seed: number
  /** Index of the next fault in the schedule. */
  next: number
  pieces: Piece[]
}

const fileOf = (dir: string): string => join(dir, 'campaign.json')

/** @throws Error, one line, if the folder is of another seed or has a failed run. */
export function loadCampaign(dir: string, seed: number): Campaign {
  mkdirSync(dir, { recursive: true })
  if (!existsSync(fileOf(dir))) return { seed, next: 0, pieces: [] }
  const campaign = JSON.parse(readFileSync(fileOf(dir), 'utf8')) as Campaign
  if (campaign.seed !== seed) throw new Error(`${dir} is a campaign of seed ${campaign.seed}, not ${seed}.`)
  const failed = campaign.pieces.findIndex(({ ok }) => !ok)
  if (failed >= 0) {
    throw new Error(`Run ${failed + 1} of ${dir} has findings: keep the folder to examine them, and use another one.`)
  }
  return campaign
}

export function saveCampaign(dir: string, campaign: Campaign): void {
  const draft = `${fileOf(dir)}.new`
  writeFileSync(draft, `${JSON.stringify(campaign, undefined, 2)}\n`)
  renameSync(draft, fileOf(dir))
}

export function countFaults(faults: readonly InjectedFault[]): FaultCounts {
  const counts = Object.fromEntries(faultKinds.map((kind) => [kind, { injected: 0, confirmed: 0 }])) as FaultCounts
  for (const { kind, confirmed } of faults) {
    counts[kind].injected += 1
    if (confirmed) counts[kind].confirmed += 1
  }
  return counts
}

export function addCounts(all: readonly FaultCounts[]): FaultCounts {
  const sum = countFaults([])
  for (const counts of all) {
    for (const kind of faultKinds) {
      sum[kind].injected += counts[kind].injected
      sum[kind].confirmed += counts[kind].confirmed
    }
  }
  return sum
}

/** The counts of confirmed faults, with the minimums of a campaign. */
export function measureMinimums(counts: FaultCounts): { name: string; count: number; minimum: number }[] {
  return MINIMUMS.map(({ name, kinds, count }) => ({
    name,
    count: kinds.reduce((sum, kind) => sum + counts[kind].confirmed, 0),
    minimum: count,
  }))
}

export const totalOf = (counts: FaultCounts): FaultCount =>
  Object.values(counts).reduce(
    (sum, { injected, confirmed }) => ({ injected: sum.injected + injected, confirmed: sum.confirmed + confirmed }),
    { injected: 0, confirmed: 0 },
  )
