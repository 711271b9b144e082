// Migrates the database of DATABASE_URL and exits, for deployments that migrate before any service starts.
import { migrate } from './migrate.ts'

const url = process.env.DATABASE_URL
if (!url) {
  console.error('DATABASE_URL is not set: postgres://user:password@host:port/database')
  process.exit(1)
}
try {
  await migrate(url, { onApply: (name) => console.log(`applied ${name}`) })
  console.log('the database is up to date')
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
