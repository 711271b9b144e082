// A closed loop without wrk. It runs in its own process, so that it and the bench do not delay each other.
import { readFileSync } from 'node:fs'
import autocannon from 'autocannon'
import { createLatencyRecorder } from './latency-recorder.ts'
import { type BenchRequest, createRequestSource } from './request-source.ts'
import type { LoadJob } from './run-load.ts'

const TIMEOUT_S = 10

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LoadJob
const { workload, url, seconds, connections } = job
const next = createRequestSource(workload, job.prefix)
const recorder = createLatencyRecorder()

const result = await autocannon({
  url,
  connections,
  duration: seconds,
  timeout: TIMEOUT_S,
  setupClient: (client) => {
    // A connection sends one request at a time, so its next answer belongs to its last request.
    let underway: BenchRequest
    const setupRequest: autocannon.Request['setupRequest'] = (defaults) => {
      underway = next()
      return {
        ...defaults,
        method: workload.method,
        path: workload.path,
        headers: { authorization: `Bearer ${underway.token}`, 'content-type': 'application/json' },
        ...(underway.body === undefined ? {} : { body: underway.body }),
      }
    }
    client.setRequests([{ setupRequest }])
    client.on('response', (status, _bytes, latencyMs) => recorder.answered(underway, status, latencyMs))
  },
})
for (let errors = result.errors; errors > 0; errors -= 1) recorder.broke() // time-outs are among them
process.stdout.write(`RESULT ${JSON.stringify(recorder.result(result.duration))}\n`)
