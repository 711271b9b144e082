import type { components } from './openapi.ts'

export type Problem = components['schemas']['Problem']

/** The API said no, and said why. `code` is stable; docs/openapi.json tells which a path may answer. */
export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly status: number
  readonly code: string
  readonly problem: Problem
  constructor(problem: Problem) {
    super(`${problem.code}: ${problem.detail}`)
    this.status = problem.status
    this.code = problem.code
    this.problem = problem
  }
}

/**
 * No final answer came in time. Whether the request took effect is not known: the same trans_id, or idempotency key, may
 * be sent again at any later time, and takes effect once.
 */
export class UnansweredError extends Error {
  override name = 'UnansweredError'
  /** Of the request that was given up: the key to send it again, or to ask what became of it. */
  readonly key: string | undefined
  constructor(url: string, tries: number, { key, cause }: { key: string | undefined; cause: unknown }) {
    super(`${url} gave no final answer in ${tries} tries`, { cause })
    this.key = key
  }
}
