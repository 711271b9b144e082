import type { KafkaDoor } from '@streamledger/testkit/kafka-door'
import { findFaults } from '../events/find-faults.ts'
import { loadEvents } from '../events/load-events.ts'
import { watchTopic } from '../events/watch-topic.ts'
import { seedOutbox } from '../ledger/seed-outbox.ts'
import { watchUsage } from '../measure/process-usage.ts'
import type { Engines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import { type BenchDeps, type Measurement, once } from '../suite.ts'
import { isShared } from './relay-hand-over.ts'
import { until } from './until.ts'

const USERS = 1_000
/** Delay of each request to the broker. */
const DELAY_MS = 20
/** Small batches, so that the delay to the broker is the limit and not a core. */
const BATCH_ROWS_MAX = 100
const TIMEOUT_MS = 180_000
const POLL_MS = 50

/** Drain rate of one replica or two with a distant broker. */
export async function measureReplicas(
  deps: BenchDeps,
  engines: Engines,
  { replicas, door }: { replicas: number; door: KafkaDoor },
): Promise<Measurement> {
  await using installation = await openInstallation(deps, engines)
  const { pool, topic } = installation
  const rows = deps.pace.relay.farRows
  const env = { KAFKA_BROKERS: door.brokers, RELAY_BATCH_ROWS_MAX: String(BATCH_ROWS_MAX) }
  for (let number = 0; number < replicas; number += 1) await installation.start('relay', env)
  const bounds = { timeoutMs: TIMEOUT_MS, intervalMs: POLL_MS, signal: deps.signal }
  await until(() => isShared(pool, replicas), { what: 'the partitions are shared', ...bounds })
  await using watch = await watchTopic(deps, { brokers: engines.kafka?.brokers ?? '', topic })
  door.proxy.delay(DELAY_MS, 'to_target')
  const usage = watchUsage(installation.watched())
  const startedAt = performance.now()
  await seedOutbox(installation, { rows, users: USERS })
  await until(() => watch.seen() >= rows, { what: 'every row is published', ...bounds })
  const seconds = (performance.now() - startedAt) / 1_000
  const used = usage.stop() ?? []
  door.proxy.delay(0)
  await loadEvents(pool, await watch.finish())
  const name = `far broker, ${replicas}`
  deps.screen.progress(`${name}: ${Math.round(rows / seconds).toLocaleString('en')}/s`)
  return {
    ...{ suite: 'relay', name, usage: used },
    figures: [once('rate', '/s', rows / seconds)],
    notes: [`${rows.toLocaleString('en')} rows, batches of ${BATCH_ROWS_MAX}, ${DELAY_MS} ms before the broker`],
    failures: [...installation.failures(), ...(await findFaults(pool, { rows, users: USERS }))],
  }
}
