import type { Client } from 'pg'

/** The objects of the schema by name, each with its definition: "column wallets.balance" is "bigint not null". */
export interface SchemaPicture {
  things: ReadonlyMap<string, string>
  tables: ReadonlySet<string>
  /** The file of a table's rows. It changes when a statement rewrites the table. */
  files: ReadonlyMap<string, string>
}

const THINGS = `
  with tables as (
    select oid, oid::regclass::text as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
  )
  select 'table ' || name as thing, '' as detail from tables
  union all
  select 'column ' || name || '.' || attname,
         format_type(atttypid, atttypmod) || attgenerated::text
           || case when not attnotnull then '' when atthasdef or attidentity <> '' then ' filled' else ' not null' end
    from tables join pg_attribute on attrelid = oid where attnum > 0 and not attisdropped
  union all
  select 'constraint ' || name || '.' || conname, case when convalidated then 'valid' else 'not valid' end
    from tables join pg_constraint on conrelid = tables.oid where contype <> 'n'
  union all
  select 'index ' || name || '.' || indexrelid::regclass, '' from tables join pg_index on indrelid = oid
  union all
  select 'trigger ' || name || '.' || tgname, '' from tables join pg_trigger on tgrelid = tables.oid where not tgisinternal
  union all
  select 'label ' || enumtypid::regtype || '.' || enumlabel, '' from pg_enum
  union all
  select 'function ' || oid::regprocedure, '' from pg_proc where pronamespace = 'public'::regnamespace
  union all
  select 'sequence ' || oid::regclass, '' from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S'`

const FILES = `
  select oid::regclass::text as "table", pg_relation_filenode(oid)::text as file from pg_class
  where relnamespace = 'public'::regnamespace and relkind = 'r'`

export async function pictureSchema(client: Client): Promise<SchemaPicture> {
  const things = await client.query<{ thing: string; detail: string }>(THINGS)
  const files = await client.query<{ table: string; file: string }>(FILES)
  return {
    things: new Map(things.rows.map(({ thing, detail }) => [thing, detail])),
    tables: new Set(files.rows.map(({ table }) => table)),
    files: new Map(files.rows.map(({ table, file }) => [table, file])),
  }
}

/** The strongest lock that the transaction has on each table, and the weaker ones. */
export async function listLocks(client: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ table: string; modes: string[] }>(`
    select relation::regclass::text as "table", array_agg(distinct mode order by mode) as modes
    from pg_locks join pg_class on pg_class.oid = relation
    where pid = pg_backend_pid() and granted and relkind = 'r' and relnamespace = 'public'::regnamespace
    group by relation`)
  return new Map(rows.map(({ table, modes }) => [table, modes]))
}
