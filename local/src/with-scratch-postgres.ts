import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '@streamledger/engines'
import { ROOT } from './local-config.ts'

/** Calls `use` with an empty, temporary PostgreSQL, whose address is in DATABASE_URL. */
export async function withScratchPostgres<T>(use: (env: NodeJS.ProcessEnv) => Promise<T>): Promise<T> {
  const dataDir = join(ROOT, '.local', 'scratch', String(process.pid))
  const postgres = await startPostgres({ dataDir })
  try {
    return await use({ ...process.env, DATABASE_URL: postgres.url })
  } finally {
    await postgres.kill()
    rmSync(dataDir, { recursive: true, force: true })
  }
}
