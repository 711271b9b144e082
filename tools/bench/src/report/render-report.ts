import { OTHERS } from '../measure/process-usage.ts'
import type { Figure, Measurement } from '../suite.ts'
import type { GoalVerdict } from './goals.ts'
import { renderNumber, renderTable } from './render-table.ts'
import type { Report } from './report.ts'

/** The whole report as text: what was measured on, the figures, what went wrong, the goals. */
export function renderReport(report: Report): string {
  const suites = [...new Set(report.measurements.map(({ suite }) => suite))]
  const failed = report.measurements.filter(({ failures }) => failures.length > 0)
  return [
    renderSetting(report),
    ...suites.map((suite) => renderSuite(report.measurements.filter((one) => one.suite === suite))),
    ...(failed.length > 0 ? [['FAILED', ...failed.flatMap(renderFailures)].join('\n')] : []),
    ...(report.goals.length > 0 ? [renderGoals(report.goals)] : []),
    ...(report.quick ? ['QUICK RUN: too short to mean anything. Do not quote these figures.'] : []),
  ].join('\n\n')
}

function renderSetting({ machine, tools, settings, quick }: Report): string {
  const given = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  return [
    `${machine.cores} cores, ${machine.cpu}, ${machine.platform}${quick ? '; QUICK RUN' : ''}`,
    `load: ${tools.load}; ceiling A: ${tools.ceiling}; Node ${tools.node}`,
    'CPU: percent of one core, mean of the runs. Memory: largest resident size (PostgreSQL: proportional, with its cache)',
    ...(given.length > 0 ? [`settings from the environment: ${given.join(' ')}`] : []),
  ].join('\n')
}

function renderSuite(measurements: readonly Measurement[]): string {
  const names = [...new Set(measurements.flatMap(({ figures }) => figures.map(({ name }) => name)))]
  const rows = measurements.map(({ name, figures, notes, failures }) => [
    name,
    ...names.map((figure) => renderFigure(figures.find((one) => one.name === figure))),
    [...(failures.length > 0 ? ['FAILED'] : []), ...notes].join('; '),
  ])
  const [first] = measurements
  const table = renderTable([first?.suite ?? '', ...names, ''], rows)
  const usage = renderUsage(measurements)
  return usage === undefined ? table : `${table}\n\n${usage}`
}

/** The median of the repeats, with minimum and maximum in brackets. */
function renderFigure(figure: Figure | undefined): string {
  if (!figure) return ''
  const { median, min, max, unit } = figure
  const suffix = unit === '/s' || unit === '%' ? unit : ` ${unit}`
  const value = `${renderNumber(median)}${suffix}`
  return min === max ? value : `${value} (${renderNumber(min)}..${renderNumber(max)})`
}

function renderUsage(measurements: readonly Measurement[]): string | undefined {
  const using = measurements.filter(({ usage }) => usage.length > 0)
  if (using.length === 0) return undefined
  const found = [...new Set(using.flatMap(({ usage }) => usage.map(({ name }) => name)))]
  const names = [...found.filter((name) => name !== OTHERS), OTHERS]
  const rows = using.map(({ name, usage }) => [
    name,
    ...names.map((process) => {
      const one = usage.find((candidate) => candidate.name === process)
      if (!one) return ''
      const cpu = `${Math.round(one.cpu_percent)}%`
      return one.rss_mb > 0 ? `${cpu} ${Math.round(one.rss_mb)} MB` : cpu
    }),
  ])
  return renderTable(['CPU, memory', ...names], rows)
}

function renderFailures({ suite, name, failures }: Measurement): string[] {
  return failures.map((failure) => `  ${suite}, ${name}: ${failure}`)
}

function renderGoals(goals: readonly GoalVerdict[]): string {
  const words = { true: 'met', false: 'MISSED', undefined: 'not measured' } as const
  const rows = goals.map(({ goal, wanted, measured, unit, met }) => [
    goal,
    `${wanted} ${unit}`,
    measured === undefined ? '' : `${renderNumber(measured)} ${unit}`,
    words[`${met}`],
  ])
  const met = goals.filter((goal) => goal.met).length
  return `${renderTable(['goal', 'wanted', 'measured', ''], rows)}\n${met} of ${goals.length} goals met`
}
