import type { Pool, PoolClient } from 'pg'

/** Runs `use` in one transaction on a connection of the pool. */
export async function withTransaction<T>(pool: Pool, use: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await rollBackOnError(client, use)
    await client.query('commit')
    return result
  } finally {
    client.release()
  }
}

/** Without a rollback after the commit: Postgres would log a warning that there is no transaction. */
async function rollBackOnError<T>(client: PoolClient, use: (client: PoolClient) => Promise<T>): Promise<T> {
  try {
    return await use(client)
  } catch (error) {
    await client.query('rollback').catch(() => {}) // fails if the connection itself broke
    throw error
  }
}
