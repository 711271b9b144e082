import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  test as base,
  type OtlpSpan,
  type ServiceProcess,
  type SpawnServiceOptions,
  signUp,
} from '@streamledger/testkit'

export const SERVICES = ['api', 'relay', 'exporter'] as const
export type ServiceName = (typeof SERVICES)[number]

export interface Answer {
  status: number
  body: Record<string, unknown>
  headers: Headers
}

export interface TracedSystem {
  topic: string
  services: Record<ServiceName, ServiceProcess>
  /** Of the API, as a user who has signed up. */
  call(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer>
}

export type StartSystem = (
  env?: Record<string, string>,
  options?: Pick<SpawnServiceOptions, 'bundled'>,
) => Promise<TracedSystem>

/** vitest's `test` with the three services as processes, on an environment that the test chooses. */
export const test = base.extend(
  'startSystem',
  async ({ createDatabase, kafka, spawnService }, { onCleanup }): Promise<StartSystem> => {
    const exports = await mkdtemp(join(tmpdir(), 'traced-'))
    onCleanup(() => rm(exports, { recursive: true }))
    return async (more = {}, options = {}) => {
      const { url } = await createDatabase()
      const topic = `traced-${randomUUID()}`
      const env = {
        DATABASE_URL: url,
        KAFKA_BROKERS: kafka.brokers,
        KAFKA_TOPIC: topic,
        INSTALLATION_ID: randomUUID(),
        JWT_SECRET: randomUUID(),
        EXPORT_DIR: exports,
        ...more,
      }
      const spawned = await Promise.all(
        SERVICES.map(
          async (name) => [name, await spawnService(`services/${name}/src/main.ts`, env, [], options)] as const,
        ),
      )
      const services = Object.fromEntries(spawned) as Record<ServiceName, ServiceProcess>
      await Promise.all(Object.values(services).map((service) => service.ready()))
      return { topic, services, call: await createCall(services.api.url) }
    }
  },
)

/** Signs a new user up. */
async function createCall(origin: string): Promise<TracedSystem['call']> {
  const { ask } = await signUp(origin)
  return async (method, path, options) => {
    const response = await ask(path, { method, ...options })
    return { status: response.status, body: (await response.json()) as Answer['body'], headers: response.headers }
  }
}

/** The trace headers of a caller of the API. */
export function makeCaller({ sampled = true } = {}) {
  const traceId = randomBytes(16).toString('hex')
  const spanId = randomBytes(8).toString('hex')
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-0${sampled ? 1 : 0}` }
}

/** A trace as a tree, without what differs from one to the next. */
export function renderTrace(spans: readonly OtlpSpan[], rootId: string, topic: string): string {
  const lines = ["your client's span"]
  const add = (parentId: string, indent: string): void => {
    const children = spans.filter(({ parentSpanId }) => parentSpanId === parentId)
    children.sort((one, other) => (one.startNs < other.startNs ? -1 : 1))
    for (const [index, span] of children.entries()) {
      const isLast = index === children.length - 1
      const name = `${indent}${isLast ? '└─' : '├─'} ${span.name.replace(topic, 'transactions')}`
      lines.push(`${name.padEnd(52)}${span.kind.padEnd(10)}${span.service}`)
      add(span.spanId, `${indent}${isLast ? '   ' : '│  '}`)
    }
  }
  add(rootId, '')
  return lines.join('\n')
}
