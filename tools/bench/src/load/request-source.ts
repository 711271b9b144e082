import type { Workload } from './workload.ts'

export interface BenchRequest {
  token: string
  /** Undefined for a GET. */
  body: string | undefined
  /** The expected statuses. */
  refusable: boolean
}

/**
 * Replays repeat one of this many earlier requests: far more than are in flight, so that most were answered long ago.
 */
const REPLAY_MEMORY = 4_096
const AMOUNT_MAX = 10_000
/** More than any wallet of the bench can hold. */
const REFUSED_AMOUNT = 9_000_000_000_000_000

/**
 * One generator's requests, in their order; `prefix` makes every trans_id its own. closed-loop.lua does the same for
 * wrk.
 */
export function createRequestSource(workload: Workload, prefix: string): () => BenchRequest {
  const { method, tokens, picks, replayEvery, refuseEvery } = workload
  const memory: BenchRequest[] = []
  let counter = 0
  let remembered = 0
  return () => {
    counter += 1
    const token = tokens[picks[counter % picks.length] as number] as string
    if (method === 'GET') return { token, body: undefined, refusable: false }
    if (replayEvery > 0 && counter % replayEvery === 0 && memory.length > 0) {
      return memory[Math.floor(Math.random() * memory.length)] as BenchRequest
    }
    const refusable = refuseEvery > 0 && counter % refuseEvery === 0
    const entry = refusable || counter % 2 === 0 ? 'debit' : 'credit'
    const amount = refusable ? REFUSED_AMOUNT : 1 + Math.floor(Math.random() * AMOUNT_MAX)
    const body = `{"entry":"${entry}","amount":${amount},"trans_id":"${prefix}-${counter}"}`
    const request = { token, body, refusable }
    if (replayEvery > 0) {
      memory[remembered % REPLAY_MEMORY] = request
      remembered += 1
    }
    return request
  }
}

/** Whether this status is expected for that request. */
export function isExpected(request: BenchRequest, status: number): boolean {
  if (request.body === undefined) return status === 200
  return status === (request.refusable ? 422 : 201)
}
