import type { Pool, PoolClient } from 'pg'

/** Lends a connection for as long as one transaction takes. */
export async function withTransaction<T>(pool: Pool, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await use(client)
    await client.query('commit')
    return result
  } finally {
    await client.query('rollback').catch(() => {}) // of what was not committed; otherwise it does nothing
    client.release()
  }
}
