import type { AnswerCount } from './count-answers.ts'

export interface Operation {
  readonly method: string
  /** As the API's metrics call it. */
  readonly route: string
  readonly open: boolean
}

const UNREACHED = 'was never answered with success: the fuzz does not reach what is behind it'

/** Of an OpenAPI document. */
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
 * What is wrong with the answers as a whole, each in one line: a fault of the server, wherever it came from, and an
 * operation that nothing got through to, without which a run that finds nothing would say nothing.
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
