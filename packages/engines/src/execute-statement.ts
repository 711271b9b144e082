import pg from 'pg'

/** Executes one statement on a connection of its own, for what no pool can do: to make and to drop a database. */
export async function executeStatement(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
