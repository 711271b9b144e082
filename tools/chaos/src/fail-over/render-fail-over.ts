import { VERDICT, type VerdictKind } from '../verdict/findings.ts'
import { type FailOverReport, inSeconds } from './run-fail-over.ts'
import { TURNS, turnKinds } from './turns.ts'

/** The result as Markdown, for docs/reliability.md. */
export function renderFailOver({ seed, turns, findings, judged, load, exporterExits }: FailOverReport): string {
  const rows = turnKinds.map((kind) => {
    const these = turns.filter((turn) => turn.kind === kind)
    const moved = these.filter(({ from, to }) => from !== to).length
    const pauses = these.map(({ pause_ms }) => pause_ms)
    return `| ${TURNS[kind].what} | ${these.length} | ${moved} | ${median(pauses)} | ${longest(pauses)} |`
  })
  const all = turns.map(({ pause_ms }) => pause_ms)
  const moved = turns.filter(({ from, to }) => from !== to).length
  const { answered, refused, tries, cut_off, replayed_after_retry, looked_up } = load
  return [
    `Seed ${seed}.`,
    '',
    '| turn | times | with a new primary | time to the next accepted posting, median | longest |',
    '|---|---|---|---|---|',
    ...rows,
    `| **all** | **${turns.length}** | **${moved}** | **${median(all)}** | **${longest(all)}** |`,
    '',
    '| compared at the end | |',
    '|---|---|',
    `| transactions / events | ${n(judged?.transactions)} / ${n(judged?.events)} |`,
    `| answers to clients, among them refusals | ${n(answered)}, ${n(refused)} |`,
    `| requests; without an answer; that had taken effect when they were repeated | ${n(tries)}; ${n(cut_off)}; ${n(replayed_after_retry)} |`,
    `| outcomes that a look-up gave before the answer | ${n(looked_up)} |`,
    `| exporters that gave up and were started again | ${n(exporterExits)} |`,
    ...Object.entries(VERDICT).map(([kind, what]) => `| ${what} | ${n(findings.counts[kind as VerdictKind])} |`),
    ...(findings.examples.length > 0
      ? ['', ...findings.examples.map(({ kind, message }) => `${kind}: ${message}`)]
      : []),
    '',
    findings.total === 0 ? 'Nothing was found.' : 'Something was found.',
  ].join('\n')
}

function median(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b)
  const middle = sorted[Math.floor(sorted.length / 2)]
  return middle === undefined ? '' : inSeconds(middle)
}

const longest = (times: readonly number[]): string => (times.length === 0 ? '' : inSeconds(Math.max(...times)))

const n = (count = 0): string => count.toLocaleString('en')
