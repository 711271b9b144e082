import type { AnswerCount } from './count-answers.ts'

export interface Operation {
  readonly method: string
  /** The route in the API's metrics. */
  readonly route: string
  readonly open: boolean
}

const UNREACHED = 'was never answered with success: the requests do not reach its code'

/** The operations of an OpenAPI document. */
export function listOperations(document: {
  paths: Record<string, Record<string, { security?: unknown }>>
}): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      route: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      open: security === undefined,
    })),
  )
}

/**
 * Findings about all answers together, one line each: any 5xx; an operation without a success, because then a run
 * without findings would prove nothing; and a success without a token where one is required.
 */
export function judgeAnswers(
  answers: readonly AnswerCount[],
  { operations, hasToken }: { operations: readonly Operation[]; hasToken: boolean },
): string[] {
  const faults = answers
    .filter(({ status }) => status >= 500)
    .map(({ method, route, status, count }) => `${method} ${route} was answered ${status}, ${count} times`)
  const unreached = operations
    .filter(({ open }) => open || hasToken)
    .filter(({ method, route }) => !answers.some((answer) => isSuccess(answer, { method, route })))
    .map(({ method, route }) => `${method} ${route} ${UNREACHED}`)
  const leaks = operations
    .filter(({ open }) => !open && !hasToken)
    .filter(({ method, route }) => answers.some((answer) => isSuccess(answer, { method, route })))
    .map(({ method, route }) => `${method} ${route} was answered with success without a token`)
  return [...faults, ...unreached, ...leaks]
}

function isSuccess(answer: AnswerCount, { method, route }: Pick<Operation, 'method' | 'route'>): boolean {
  return answer.method === method && answer.route === route && answer.status < 300
}
