// Migrates the database of DATABASE_URL and exits, for deployments that migrate before any service starts.
import { loadDatabaseUrl, readConfig } from '@streamledger/runtime'
import { migrate } from './migrate.ts'

const url = readConfig(loadDatabaseUrl)
try {
  await migrate(url, { onApply: (name) => console.log(`applied ${name}`) })
  console.log('the database is up to date')
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
