// Migrates the database of DATABASE_URL and exits, for deployments that migrate before any service starts. With --grants it
// then does what `streamledger grants --yes` does.
import { loadDatabaseUrl, readConfig } from '@streamledger/runtime'
import { grantRoles, readServiceRoles } from './grants.ts'
import { migrate } from './migrate.ts'

const url = readConfig(loadDatabaseUrl)
try {
  const roles = process.argv.includes('--grants') ? readServiceRoles(process.env) : []
  await migrate(url, { onApply: (name) => console.log(`applied ${name}`) })
  console.log('the database is up to date')
  if (roles.length > 0) {
    const { groups, warnings } = await grantRoles(url, roles)
    for (const { shown } of groups.flat()) console.log(shown)
    for (const warning of warnings) console.warn(warning)
    console.log('the services have their privileges')
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
