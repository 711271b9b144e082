import type { components } from './openapi.ts'

export type Problem = components['schemas']['Problem']

/** The API refused the request. `code` says why and is stable; docs/errors.md lists all codes. */
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
 * No final answer came in time, so it is not known whether the request took effect. It may be sent again at any later
 * time with the same trans_id or idempotency key, and takes effect once.
 */
export class UnansweredError extends Error {
  override name = 'UnansweredError'
  /** The key of the request: use it to send the request again, or to ask for its outcome. */
  readonly key: string | undefined
  constructor(url: string, tries: number, { key, cause }: { key: string | undefined; cause: unknown }) {
    super(`${url} gave no final answer in ${tries} tries`, { cause })
    this.key = key
  }
}
