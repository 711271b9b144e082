import type { Pool } from 'pg'

/** Loads what one database holds into another that is migrated, as a dump does: rows and sequences, and no clock of ids. */
export async function reload(source: Pool, target: Pool): Promise<void> {
  const { rows: tables } = await source.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'schema_migrations'`,
  )
  const client = await target.connect()
  try {
    await client.query('set session_replication_role = replica')
    for (const { name } of tables) {
      const { rows } = await source.query(`select coalesce(json_agg(t), '[]')::text as content from ${name} t`)
      await client.query(`delete from ${name}`)
      await client.query(
        `insert into ${name} overriding system value select * from json_populate_recordset(null::${name}, $1)`,
        [rows[0].content],
      )
    }
    const { rows: sequences } = await source.query<{ name: string; last: number }>(
      `select sequencename as name, last_value as last from pg_sequences where schemaname = 'public' and last_value is not null`,
    )
    for (const { name, last } of sequences) await client.query('select setval($1, $2)', [name, last])
  } finally {
    await client.query('reset session_replication_role')
    client.release()
  }
}
