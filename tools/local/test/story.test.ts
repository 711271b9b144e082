import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, expect } from '@streamledger/testkit'
import { playStory } from './play-story.ts'

// The product's whole path: three real processes, one real Postgres, one real Kafka, and a user at each end.

const test = base.extend('system', async ({ createDatabase, kafka, spawnService }, { onCleanup }) => {
  const { url } = await createDatabase({ empty: true })
  const exports = await mkdtemp(join(tmpdir(), 'story-'))
  onCleanup(() => rm(exports, { recursive: true }))
  const env = {
    DATABASE_URL: url,
    KAFKA_BROKERS: kafka.brokers,
    KAFKA_TOPIC: `story-${randomUUID()}`,
    INSTALLATION_ID: randomUUID(),
    JWT_SECRET: randomUUID(),
    EXPORT_DIR: exports,
  }
  // All three at once on an empty database, as compose or Kubernetes would start them.
  const services = await Promise.all(
    ['api', 'relay', 'exporter'].map((name) => spawnService(`services/${name}/src/main.ts`, env)),
  )
  await Promise.all(services.map((service) => service.ready()))
  const [api] = services
  if (!api) throw new Error('there is no API')
  return { topic: env.KAFKA_TOPIC, origin: api.url, services }
})

test('what the API answered, what a consumer reads and what the workbook shows are the same', async ({
  system,
  kafka,
}) => {
  const { origin, topic } = system
  await playStory({ origin, readTopic: (isEnough) => kafka.readAll(topic, isEnough ? { isEnough } : {}) })

  for (const service of system.services) service.signal('SIGTERM')
  for (const service of system.services) expect(await service.exited).toEqual({ code: 0, signal: null })
}, 120_000)
