import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { type OtlpSpan, readOtlpSpans } from './otlp-spans.ts'

/** What the collector does with a request: takes it, says that it can't just now, says no, or says nothing, byte by byte or at all. */
export type CollectorMood = 'taking' | 'overloaded' | 'refusing' | 'trickling' | 'silent'

export interface CollectorRequest {
  path: string
  headers: IncomingMessage['headers']
  spans: OtlpSpan[]
}

/** A collector of one's own, as far as traces go: it keeps what it takes. */
export interface OwnCollector {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  endpoint: string
  /** All that has arrived, whatever the mood. */
  readonly requests: readonly CollectorRequest[]
  /** The spans that were taken. */
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
