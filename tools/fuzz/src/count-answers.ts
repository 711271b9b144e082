/** One series of the API's own metrics: how often an operation was answered so. */
export interface AnswerCount {
  readonly method: string
  readonly route: string
  readonly status: number
  readonly count: number
}

const SERIES = /^http_request_duration_seconds_count\{(?<labels>.*)\} (?<count>\d+)$/
const LABEL = /(?<name>\w+)="(?<value>[^"]*)"/g

/**
 * Reads from the API's metrics how often it has answered since its start. So only requests that arrived are counted.
 */
export async function countAnswers(opsUrl: string): Promise<AnswerCount[]> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text()
  return parseAnswerCounts(text)
}

export function parseAnswerCounts(metrics: string): AnswerCount[] {
  return metrics.split('\n').flatMap((line) => {
    const { labels, count } = SERIES.exec(line)?.groups ?? {}
    if (labels === undefined) return []
    const values = new Map([...labels.matchAll(LABEL)].map(({ groups }) => [groups?.name, groups?.value ?? '']))
    const [method = '', route = ''] = [values.get('method'), values.get('route')]
    return [{ method, route, status: Number(values.get('status')), count: Number(count) }]
  })
}

/** The difference of two counts. */
export function subtractCounts(after: readonly AnswerCount[], before: readonly AnswerCount[]): AnswerCount[] {
  return after.flatMap((answer) => {
    const earlier = before.find(
      ({ method, route, status }) => method === answer.method && route === answer.route && status === answer.status,
    )
    const count = answer.count - (earlier?.count ?? 0)
    return count > 0 ? [{ ...answer, count }] : []
  })
}

export const totalOf = (answers: readonly AnswerCount[]): number => answers.reduce((sum, { count }) => sum + count, 0)
