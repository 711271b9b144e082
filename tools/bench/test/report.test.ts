import { expect, test } from 'vitest'
import { judgeGoals } from '../src/report/goals.ts'
import { renderReport } from '../src/report/render-report.ts'
import { renderNumber, renderTable } from '../src/report/render-table.ts'
import type { Report } from '../src/report/report.ts'
import { type Measurement, once } from '../src/suite.ts'

const measured = (name: string, figure: string, value: number, failures: string[] = []): Measurement => ({
  ...{ suite: 'post', name, usage: [], notes: [], failures },
  figures: [once(figure, figure === 'rate' ? '/s' : 'ms', value)],
})

const verdictOf = (measurements: Measurement[], goal: string) =>
  judgeGoals(measurements, ['post']).find((verdict) => verdict.goal.startsWith(goal))

test('a table is lined up: names to the left, numbers to the right', () => {
  expect(
    renderTable(
      ['what', 'rate', ''],
      [
        ['a', '9/s', 'short'],
        ['longer', '10,000/s', 'a longer note'],
      ],
    ),
  ).toBe(
    [
      'what        rate',
      '------  --------  -------------',
      'a            9/s  short',
      'longer  10,000/s  a longer note',
    ].join('\n'),
  )
})

test('numbers have three significant digits, and thousands apart', () => {
  expect([12_345.6, 123.4, 12.34, 1.234, 0].map(renderNumber)).toEqual(['12,346', '123', '12.3', '1.23', '0.00'])
  expect(renderNumber(Number.NaN)).toBe('–')
})

test('a goal is a ratio inside one run, met or missed by it', () => {
  const ceiling = measured('ceiling A, 64', 'rate', 10_000)
  const goal = 'POST at 64'
  expect(verdictOf([measured('uniform, 64', 'rate', 13_000), ceiling], goal)).toMatchObject({
    measured: 1.3,
    met: true,
  })
  expect(verdictOf([measured('uniform, 64', 'rate', 12_900), ceiling], goal)).toMatchObject({ met: false })
})

test('a goal is not met by a figure that is missing, nor by one of a run that went wrong', () => {
  const ceiling = measured('ceiling A, 64', 'rate', 10_000)
  const broken = measured('uniform, 64', 'rate', 99_000, ['the ledger is broken: 1 wrong balances'])
  expect(verdictOf([ceiling], 'POST at 64')).toMatchObject({ measured: undefined, met: undefined })
  expect(verdictOf([broken, ceiling], 'POST at 64')).toMatchObject({ measured: undefined, met: undefined })
})

test('only the goals of the suites that ran are judged', () => {
  expect(judgeGoals([], ['idle']).map(({ goal }) => goal)).toHaveLength(6)
  expect(judgeGoals([], [])).toEqual([])
})

test('the report shows figures with their spread, failures, goals, and that a quick run means nothing', () => {
  const spread = { name: 'rate', unit: '/s', median: 9_000, min: 8_000, max: 9_500 }
  const usage = [{ name: 'api', cpu_percent: 66.4, rss_mb: 151.2 }, { name: 'others', cpu_percent: 3, rss_mb: 0 }] // biome-ignore format: one line
  const failed = measured('hot wallet, 64', 'rate', 1, ['7 answers had an unexpected status'])
  const measurements = [{ ...measured('uniform, 64', 'rate', 0), figures: [spread], usage }, failed]
  const report: Report = {
    ...{ quick: true, began_at: '2026-01-01T00:00:00.000Z', seconds: 1, settings: { POSTING_BATCHES_MAX: '3' } },
    machine: { cores: 2, cpu: 'a processor', platform: 'linux-x64' },
    tools: { load: 'wrk', ceiling: 'pgbench', node: '26.0.0' },
    measurements,
    goals: judgeGoals(measurements, ['post']),
  }
  const text = renderReport(report)
  expect(text).toContain('9,000/s (8,000..9,500)')
  expect(text).toContain('66% 151 MB')
  expect(text).toContain('load: wrk; ceiling A: pgbench')
  expect(text).toContain('POSTING_BATCHES_MAX=3')
  expect(text).toContain('post, hot wallet, 64: 7 answers had an unexpected status')
  expect(text).toContain(`0 of ${report.goals.length} goals met`)
  expect(text).toContain('Do not quote')
  expect(renderReport({ ...report, goals: [] })).not.toContain('goals met')
})
