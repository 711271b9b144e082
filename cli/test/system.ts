import { randomUUID } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ServiceProcess, type SpawnService, waitFor } from '@streamledger/testkit'
import type { Ledger } from './ledger.ts'

const RELAY = 'services/relay/src/main.ts'
const API = 'services/api/src/main.ts'
/** Short enough that a test need not wait for a lease to run out. */
const LEASE_MS = '1000'

export function startRelay(
  { env, topic, installationId }: Ledger,
  spawn: SpawnService,
  own: Record<string, string> = {},
) {
  return start(spawn, RELAY, {
    ...env,
    ...{ KAFKA_TOPIC: topic.name, INSTALLATION_ID: installationId, RELAY_LEASE_MS: LEASE_MS },
    RELAY_BATCH_BYTES_MAX: '500000', // a topic of a test takes no more
    ...own,
  })
}

export function startApi({ env, topic, installationId }: Ledger, spawn: SpawnService) {
  return start(spawn, API, {
    ...env,
    ...{ KAFKA_TOPIC: topic.name, INSTALLATION_ID: installationId, JWT_SECRET: randomUUID() },
    EXPORT_DIR: mkdtempSync(join(tmpdir(), 'streamledger-')),
  })
}

async function start(spawn: SpawnService, entry: string, env: Record<string, string>): Promise<ServiceProcess> {
  const service = await spawn(entry, env)
  await service.ready()
  return service
}

export async function stop(service: ServiceProcess): Promise<void> {
  service.signal('SIGTERM')
  await service.exited
}

export async function countOutbox({ pool }: Ledger): Promise<number> {
  const { rows } = await pool.query('select count(*)::int as count from outbox')
  return rows[0].count
}

export const outboxIsEmpty = (ledger: Ledger, timeoutMs = 30_000): Promise<unknown> =>
  waitFor(async () => (await countOutbox(ledger)) === 0, { timeoutMs })
