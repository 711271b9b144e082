import { randomUUID } from 'node:crypto'
import { expect, test, waitFor } from '@streamledger/testkit'
import { MIGRATION_LOCK_KEY } from '../src/migrate.ts'

test.for(['api', 'relay', 'exporter'])(
  'the %s is live and not ready while the database is migrated',
  async (name, { createDatabase, spawnService }) => {
    const { pool, url } = await createDatabase()
    const migrating = await pool.connect()
    await migrating.query('select pg_advisory_lock($1)', [MIGRATION_LOCK_KEY])
    await migrating.query('delete from schema_migrations where version = (select max(version) from schema_migrations)')

    const service = await spawnService(`services/${name}/src/main.ts`, {
      ...{ DATABASE_URL: url, KAFKA_BROKERS: '127.0.0.1:1', EXPORT_DIR: '/tmp' },
      ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: randomUUID() },
    })

    try {
      const ask = async (path: string): Promise<number> => (await fetch(service.opsUrl + path)).status
      await waitFor(async () => expect(await ask('/health/live')).toBe(200), { timeoutMs: 30_000 })
      expect(await ask('/health/ready')).toBe(503)
      expect(service.logs).not.toContain('migrated')
    } finally {
      migrating.release(true) // the pool ends only when it has its connection back
    }
  },
)
