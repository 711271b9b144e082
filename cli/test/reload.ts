import type { Pool } from 'pg'

/** Loads what one database holds into another that is migrated, as a dump does: rows and sequences, and no clock of ids. */
export async function reload(source: Pool, target: Pool): Promise<void> {
  // What is generated is made anew by the target.
  const { rows: tables } = await source.query<{ name: string; columns: string }>(
    `select table_name as name, string_agg(quote_ident(column_name), ', ' order by ordinal_position) as columns
       from information_schema.columns join information_schema.tables using (table_schema, table_name)
      where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'schema_migrations' and is_generated = 'NEVER'
      group by table_name`,
  )
  const client = await target.connect()
  try {
    await client.query('set session_replication_role = replica')
    for (const { name, columns } of tables) {
      const { rows } = await source.query(`select coalesce(json_agg(t), '[]')::text as content from ${name} t`)
      await client.query(`delete from ${name}`)
      await client.query(
        `insert into ${name} (${columns}) overriding system value
         select ${columns} from json_populate_recordset(null::${name}, $1)`,
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
