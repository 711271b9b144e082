import { expect, test } from 'vitest'
import { createRequestSource, isExpected } from '../src/load/request-source.ts'
import { drawPicks, type Workload } from '../src/load/workload.ts'

const USERS = 1_000

const workload = (mix: Partial<Workload>): Workload => ({
  ...{ method: 'POST', path: '/', tokens: ['a', 'b'], picks: [0, 1], replayEvery: 0, refuseEvery: 0 },
  ...mix,
})

function countByUser(picks: readonly number[]): number[] {
  const counts = new Array<number>(USERS).fill(0)
  for (const pick of picks) counts[pick] = (counts[pick] ?? 0) + 1
  return counts
}

test('uniform picks reach every user about as often', () => {
  const counts = countByUser(drawPicks('uniform', USERS))
  const mean = counts.reduce((sum, count) => sum + count, 0) / USERS
  expect(Math.min(...counts)).toBeGreaterThan(mean / 2)
  expect(Math.max(...counts)).toBeLessThan(mean * 2)
})

test('zipf picks give the second user half of what the first has, and leave nobody out of range', () => {
  const picks = drawPicks('zipf', USERS)
  const counts = countByUser(picks)
  expect((counts[0] ?? 0) / (counts[1] ?? 0)).toBeCloseTo(2, 0)
  expect(counts[0]).toBeGreaterThan(picks.length * 0.1)
  expect(Math.max(...picks)).toBeLessThan(USERS)
  expect(drawPicks('zipf', USERS)).toEqual(picks)
})

test('a hot wallet has every pick', () => {
  expect(drawPicks('hot', USERS)).toEqual([0])
})

test('every request has a trans_id of its own, for users in turn', () => {
  const next = createRequestSource(workload({}), 'run')
  const requests = Array.from({ length: 1_000 }, next)
  const ids = requests.map(({ body }) => (JSON.parse(body ?? '') as { trans_id: string }).trans_id)
  expect(new Set(ids).size).toBe(ids.length)
  expect(new Set(requests.map(({ token }) => token))).toEqual(new Set(['a', 'b']))
})

test('replays repeat an earlier request as it was, so often as they are asked for', () => {
  const next = createRequestSource(workload({ replayEvery: 5 }), 'run')
  const bodies = Array.from({ length: 10_000 }, () => next().body)
  const replays = bodies.length - new Set(bodies).size
  expect(replays).toBeGreaterThanOrEqual(1_999)
  expect(replays).toBeLessThanOrEqual(2_000)
})

test('refusals ask for more than any wallet holds, and 422 is their right answer', () => {
  const next = createRequestSource(workload({ refuseEvery: 5 }), 'run')
  const requests = Array.from({ length: 100 }, next)
  const refusable = requests.filter((request) => request.refusable)
  expect(refusable).toHaveLength(20)
  for (const request of requests) {
    expect(isExpected(request, 422)).toBe(request.refusable)
    expect(isExpected(request, 201)).toBe(!request.refusable)
    expect(isExpected(request, 503)).toBe(false)
  }
})
