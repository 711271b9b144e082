// Migrates the database of DATABASE_URL and exits, for deployments that migrate before any service starts. With --grants it
// then does what `streamledger grants --yes` does.
import { loadDatabaseUrl, readConfig } from '@streamledger/runtime'
import pg from 'pg'
import { applyGrants, planGrants, readServiceRoles, type ServiceRole } from './grants.ts'
import { migrate } from './migrate.ts'

const url = readConfig(loadDatabaseUrl)
try {
  const roles = process.argv.includes('--grants') ? readServiceRoles(process.env) : []
  await migrate(url, { onApply: (name) => console.log(`applied ${name}`) })
  console.log('the database is up to date')
  if (roles.length > 0) await grant(url, roles)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

async function grant(connectionString: string, roles: readonly ServiceRole[]): Promise<void> {
  const client = new pg.Client({ connectionString, application_name: 'streamledger migrate' })
  client.on('error', () => {}) // the next statement fails
  await client.connect()
  try {
    const plan = await planGrants(client, roles)
    await applyGrants(client, plan)
    for (const { shown } of plan.groups.flat()) console.log(shown)
    for (const warning of plan.warnings) console.warn(warning)
    console.log('the services have their privileges')
  } finally {
    await client.end()
  }
}
