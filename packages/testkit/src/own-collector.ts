import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { type OtlpSpan, readOtlpSpans } from './otlp-spans.ts'

/** How the collector answers: accepts, is overloaded, refuses, sends its answer byte by byte, or does not answer. */
export type CollectorMood = 'taking' | 'overloaded' | 'refusing' | 'trickling' | 'silent'

export interface CollectorRequest {
  path: string
  headers: IncomingMessage['headers']
  spans: OtlpSpan[]
}

/** A trace collector for one test, which keeps the spans that it accepts. */
export interface OwnCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint: string
  /** All requests, also those that were not accepted. */
  readonly requests: readonly CollectorRequest[]
  /** The accepted spans. */
  readonly spans: readonly OtlpSpan[]
  mood: CollectorMood
  remove(): Promise<void>
}

export type StartOwnCollector = () => Promise<OwnCollector>

const TRICKLE_INTERVAL_MS = 100

export async function startOwnCollector(): Promise<OwnCollector> {
  const requests: CollectorRequest[] = []
  const taken: OtlpSpan[] = []
  const server = createServer((request, response) => void take(request, response))

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray())
    const spans = readOtlpSpans(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body)
    requests.push({ path: request.url ?? '', headers: request.headers, spans })
    if (collector.mood === 'taking') taken.push(...spans)
    answer(response, collector.mood)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const collector: OwnCollector = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    spans: taken,
    mood: 'taking',
    remove: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return collector
}

function answer(response: ServerResponse, mood: CollectorMood): void {
  switch (mood) {
    case 'taking':
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
      break
    case 'overloaded':
      response.writeHead(503, { 'retry-after': '3600' }).end()
      break
    case 'refusing':
      response.writeHead(401).end('who are you?')
      break
    case 'trickling': {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), TRICKLE_INTERVAL_MS)
      response.once('close', () => clearInterval(timer))
      break
    }
    case 'silent':
  }
}
