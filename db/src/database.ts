import { Kysely, PostgresDialect } from 'kysely'
import type pg from 'pg'
import { createPool, type PoolOptions } from './pool.ts'
import type { Db, Tables } from './schema.ts'

export interface Database {
  db: Db
  pool: pg.Pool
  close(): Promise<void>
}

/** Opens a pool, and Kysely on top of it. */
export function createDatabase(url: string, options: PoolOptions): Database {
  const pool = createPool(url, options)
  const db: Db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  const close = async (): Promise<void> => {
    await db.destroy()
    // Kysely ends the pool only if it has run a query. Otherwise the process would wait for idle connections to expire.
    if (!pool.ending) await pool.end()
  }
  return { db, pool, close }
}
