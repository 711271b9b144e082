import { addCounts, type Campaign, type FaultCounts, measureMinimums, type Piece, totalOf } from './campaign.ts'
import { CAMPAIGN_FAULTS, FAULT_KINDS, faultKinds } from './schedule/fault-kinds.ts'
import { type Finding, VERDICT, type VerdictKind } from './verdict/findings.ts'

export interface Report {
  seed: number
  ok: boolean
  piece: Piece
  findings: readonly Finding[]
  /** All runs so far, including this one; undefined without a campaign. */
  campaign: { dir: string; runs: number; next: number; faults: FaultCounts } | undefined
  /** Where the logs are. */
  logs: string
}

export function describeCampaign(dir: string, { pieces, next }: Campaign): NonNullable<Report['campaign']> {
  return { dir, runs: pieces.length, next, faults: addCounts(pieces.map(({ faults }) => faults)) }
}

/** The result as text. */
export function renderReport({ seed, ok, piece, findings, campaign, logs }: Report): string {
  const { judged } = piece
  const looked = judged
    ? `${n(judged.transactions)} transactions, ${n(judged.refusals)} refusals, ${n(judged.events)} events, ${n(judged.answers)} answers and ${n(judged.exports)} exports were checked.`
    : 'Not everything could be checked.'
  return [
    `Seed ${seed}, faults ${piece.from} to ${piece.to - 1} of its schedule, ${piece.seconds} s.`,
    '',
    ...renderFaults(piece.faults),
    ...(campaign ? ['', ...renderCampaign(campaign)] : []),
    '',
    `Load: ${Object.entries(piece.load)
      .map(([name, count]) => `${n(count)} ${name.replaceAll('_', ' ')}`)
      .join(', ')}.`,
    looked,
    ...(piece.exporter_exits > 0 ? [`Exporters ended and were restarted ${piece.exporter_exits} times.`] : []),
    '',
    ...renderVerdict(piece.verdict),
    ...(findings.length > 0 ? ['', ...findings.map(({ kind, message }) => `${kind}: ${message}`)] : []),
    '',
    ok ? 'Nothing was found.' : `Something was found. Logs of all processes: ${logs}`,
  ].join('\n')
}

function renderFaults(faults: FaultCounts): string[] {
  const { injected, confirmed } = totalOf(faults)
  const lines = faultKinds.map((kind) => {
    const { injected, confirmed } = faults[kind]
    return `  ${kind.padEnd(21)}${pad(injected)}${pad(confirmed)}  ${FAULT_KINDS[kind].what}`
  })
  return [
    `  ${'fault'.padEnd(21)}${'injected'.padStart(10)}${'seen'.padStart(10)}`,
    ...lines,
    `  ${'all'.padEnd(21)}${pad(injected)}${pad(confirmed)}`,
  ]
}

function renderCampaign({ dir, runs, faults }: NonNullable<Report['campaign']>): string[] {
  const lines = measureMinimums(faults).map(
    ({ name, count, minimum }) => `  ${name.padEnd(36)}${n(count)} / ${minimum}`,
  )
  const all = `  ${'all faults'.padEnd(36)}${n(totalOf(faults).confirmed)} / ${n(CAMPAIGN_FAULTS)}`
  return [`${dir}, ${runs} runs: faults so far / minimum`, ...lines, all]
}

function renderVerdict(verdict: Record<VerdictKind, number>): string[] {
  return Object.entries(VERDICT).map(
    ([kind, what]) => `  ${kind.padEnd(21)}${pad(verdict[kind as VerdictKind])}  ${what}`,
  )
}

const n = (count: number): string => count.toLocaleString('en')
const pad = (count: number): string => n(count).padStart(10)
