import type { TestDatabase } from '@streamledger/testkit'

/** Each table with a digest of all its rows. Two results are equal if nothing was written between them. */
export async function digestDatabase({ pool }: Pick<TestDatabase, 'pool'>): Promise<Map<string, string>> {
  const { rows: tables } = await pool.query<{ name: string }>(`
    select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema') order by name`)
  const digests = tables.map(
    ({ name }) =>
      `select '${name}' as name, count(*) || ' ' || md5(coalesce(string_agg(t::text, e'\\n' order by t::text), '')) as digest from ${name} t`,
  )
  // One statement, so that all tables are read in one snapshot.
  const { rows } = await pool.query<{ name: string; digest: string }>(digests.join(' union all '))
  return new Map(rows.map(({ name, digest }) => [name, digest]))
}
