import type { Pool, PoolClient } from 'pg'

/** Runs `use` in one transaction on a connection of the pool. */
export async function withTransaction<T>(pool: Pool, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await use(client)
    await client.query('commit')
    return result
  } finally {
    await client.query('rollback').catch(() => {}) // after a commit it does nothing
    client.release()
  }
}
