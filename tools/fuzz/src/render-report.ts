import { type AnswerCount, totalOf } from './count-answers.ts'

export interface ModeReport {
  readonly mode: string
  readonly answers: readonly AnswerCount[]
  /** Each has one or more lines. */
  readonly findings: readonly string[]
}

const number = new Intl.NumberFormat('en-GB')
const CLASSES = [2, 3, 4, 5]

/** One line: the number of answers, in total and by class. */
export function describeCounts(answers: readonly AnswerCount[]): string {
  const ofClass = (digit: number) => totalOf(answers.filter(({ status }) => Math.floor(status / 100) === digit))
  const classes = CLASSES.map((digit) => `${digit}xx ${number.format(ofClass(digit))}`)
  return `${number.format(totalOf(answers))} requests: ${classes.join(', ')}`
}

/** The answers by operation, and the findings. */
export function renderReport(reports: readonly ModeReport[]): string {
  const sections = reports.map(({ mode, answers, findings }) =>
    [`${mode}: ${describeCounts(answers)}`, ...renderTable(answers), ...findings.map((text) => `FOUND: ${text}`)].join(
      '\n',
    ),
  )
  const found = reports.reduce((sum, { findings }) => sum + findings.length, 0)
  return [...sections, found === 0 ? 'Nothing was found.' : `${found} findings, see above.`].join('\n\n')
}

function renderTable(answers: readonly AnswerCount[]): string[] {
  const operations = Map.groupBy(answers, ({ method, route }) => `${method} ${route}`)
  const width = Math.max(0, ...[...operations.keys()].map((name) => name.length))
  return [...operations.entries()]
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([name, counts]) => {
      const statuses = counts
        .toSorted((one, other) => one.status - other.status)
        .map(({ status, count }) => `${status}: ${number.format(count)}`)
      return `  ${name.padEnd(width)}  ${statuses.join('  ')}`
    })
}
