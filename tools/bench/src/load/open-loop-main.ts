// Sends requests at a fixed rate, each measured from the moment it was due. So a stall of the API counts for all
// requests that were due meanwhile; in a closed loop it would not.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type HttpConnection, openConnection } from './http-connection.ts'
import { createLatencyRecorder } from './latency-recorder.ts'
import { type BenchRequest, createRequestSource } from './request-source.ts'
import type { LoadJob } from './run-load.ts'

const TICK_MS = 1
/** How long the last answers may take once everything is sent. */
const DRAIN_TIMEOUT_MS = 10_000

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LoadJob
const { workload, url, seconds, rate = 1 } = job
const { host, port } = new URL(url)
const next = createRequestSource(workload, job.prefix)
const recorder = createLatencyRecorder()
const idle: HttpConnection[] = []
const due: number[] = [] // requests that wait for a connection, by when they were due
let open = 0
let waiting = 0

function toText({ token, body }: BenchRequest): string {
  const head = `${workload.method} ${workload.path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n`
  if (body === undefined) return `${head}\r\n`
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

function takeConnection(): HttpConnection | undefined {
  for (let connection = idle.pop(); connection; connection = idle.pop()) {
    if (!connection.closed) return connection
  }
  if (open === job.connections) return undefined
  open += 1
  return openConnection(Number(port), (underWay) => {
    open -= 1
    if (!underWay) return
    waiting -= 1
    recorder.broke()
  })
}

function sendDue(): void {
  while (due.length > 0) {
    const connection = takeConnection()
    if (!connection) return
    const dueAt = due.shift() as number
    const request = next()
    waiting += 1
    connection.send(toText(request), (status) => {
      waiting -= 1
      recorder.answered(request, status, performance.now() - dueAt)
      idle.push(connection)
      sendDue()
    })
  }
}

const startedAt = performance.now()
const total = Math.round(rate * seconds)
for (let planned = 0; planned < total; ) {
  const elapsedMs = performance.now() - startedAt
  for (; planned < total && (planned / rate) * 1_000 <= elapsedMs; planned += 1) {
    due.push(startedAt + (planned / rate) * 1_000)
  }
  sendDue()
  await delay(TICK_MS)
}
const drainUntil = performance.now() + DRAIN_TIMEOUT_MS
while ((waiting > 0 || due.length > 0) && performance.now() < drainUntil) await delay(TICK_MS)
for (let lost = waiting + due.length; lost > 0; lost -= 1) recorder.broke()
for (const connection of idle) connection.close()
process.stdout.write(`RESULT ${JSON.stringify(recorder.result(seconds))}\n`, () => process.exit(0))
