import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { renewRoles, SERVICES, type Service, urlVariableOf } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { ROOT } from './local-config.ts'

const PASSWORD_BYTES = 24
const STATEMENT_TIMEOUT_MS = 10_000
const MIGRATE_MAIN = join(ROOT, 'db/src/migrate-main.ts')

export type ServiceUrls = Readonly<Record<Service, string>>

/** Gives each service a database role of its own, with a new password at each start: no file has it. */
export async function createServiceRoles(databaseUrl: string): Promise<ServiceUrls> {
  const roles = SERVICES.map((service) => ({
    ...{ service, role: `streamledger_${service}` },
    password: randomBytes(PASSWORD_BYTES).toString('base64url'),
  }))
  const options = { applicationName: 'streamledger start', connectionsMax: 1, statementTimeoutMs: STATEMENT_TIMEOUT_MS }
  const { pool, close } = createDatabase(databaseUrl, options)
  try {
    const client = await pool.connect()
    await renewRoles(client, roles).finally(() => client.release())
  } finally {
    await close()
  }
  const urls = roles.map(({ service, role, password }) => {
    const url = new URL(databaseUrl)
    Object.assign(url, { username: role, password })
    return [service, url.href]
  })
  return Object.fromEntries(urls)
}

/** One role for all: for a database that is not ours, whose owner decides about its roles. */
export function shareDatabaseUrl(databaseUrl: string): ServiceUrls {
  return Object.fromEntries(SERVICES.map((service) => [service, databaseUrl])) as ServiceUrls
}

/** Migrates the database and grants the roles what their services need, which wait for it at their start. */
export async function migrateAndGrant(databaseUrl: string, urls: ServiceUrls, signal: AbortSignal): Promise<void> {
  const named = SERVICES.map((service) => [urlVariableOf(service), urls[service]])
  const env = { ...process.env, DATABASE_URL: databaseUrl, ...Object.fromEntries(named) }
  const child = spawn(process.execPath, [MIGRATE_MAIN, '--grants'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
  const stop = () => void child.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).finally(() => signal.removeEventListener('abort', stop))
  if (code !== 0 && !signal.aborted) throw new Error(`The database could not be migrated:\n${errors.trim()}`)
}
