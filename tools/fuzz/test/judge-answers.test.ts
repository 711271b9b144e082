import { expect, test } from 'vitest'
import { parseAnswerCounts, subtractCounts, totalOf } from '../src/count-answers.ts'
import { judgeAnswers, listOperations } from '../src/judge-answers.ts'

const METRICS = `# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.001",service="api",method="GET",route="/a/:id",status="200"} 3
http_request_duration_seconds_count{service="api",method="GET",route="/a/:id",status="200"} 4
http_request_duration_seconds_count{service="api",method="unmatched",route="unmatched",status="404"} 2
http_requests_in_flight 1
`
const answer = (method: string, route: string, status: number) => ({ method, route, status, count: 1 })
const operations = listOperations({
  paths: { '/a/{id}': { get: { security: [{ token: [] }] } }, '/log-in': { post: {} } },
})

test('answers are read from the metrics of the API, and counted from one moment on', () => {
  const before = parseAnswerCounts(METRICS)
  expect(before).toEqual([
    { method: 'GET', route: '/a/:id', status: 200, count: 4 },
    { method: 'unmatched', route: 'unmatched', status: 404, count: 2 },
  ])
  const after = parseAnswerCounts(METRICS.replace('"200"} 4', '"200"} 9'))
  const between = subtractCounts(after, before)
  expect(between).toEqual([{ method: 'GET', route: '/a/:id', status: 200, count: 5 }])
  expect(totalOf(after)).toBe(11)
})

test('a run in which everything was reached and nothing broke is clean', () => {
  const answers = [answer('GET', '/a/:id', 200), answer('GET', '/a/:id', 400), answer('POST', '/log-in', 200)]
  expect(judgeAnswers(answers, { operations, hasToken: true })).toEqual([])
  const without = [answer('GET', '/a/:id', 401), answer('POST', '/log-in', 200)]
  expect(judgeAnswers(without, { operations, hasToken: false })).toEqual([])
})

test('a fault of the server, an operation that was not reached, and one that needs no token are findings', () => {
  const answers = [answer('GET', '/a/:id', 404), answer('POST', '/log-in', 503)]
  expect(judgeAnswers(answers, { operations, hasToken: true })).toEqual([
    'POST /log-in was answered 503, 1 times',
    expect.stringMatching(/^GET \/a\/:id was never answered with success/),
    expect.stringMatching(/^POST \/log-in was never answered with success/),
  ])
  const open = [answer('GET', '/a/:id', 200), answer('POST', '/log-in', 200)]
  expect(judgeAnswers(open, { operations, hasToken: false })).toEqual([
    'GET /a/:id was answered with success without a token',
  ])
})
