import type pg from 'pg'
import { type Measurement, once } from '../suite.ts'

const MB = 2 ** 20

interface Relation {
  name: string
  is_index: boolean
  bytes: number
}

const RELATIONS = `
  select c.relname as name, c.relkind = 'i' as is_index, pg_relation_size(c.oid) as bytes
    from pg_class c left join pg_index i on i.indexrelid = c.oid
   where 'transactions'::regclass in (c.oid, i.indrelid) order by c.relkind desc, bytes desc`
const SETTINGS = `
  select string_agg(name || ' ' || current_setting(name), ', ' order by name) as text
    from unnest(array['shared_buffers', 'max_wal_size', 'checkpoint_timeout']) name`

/** How large the table is, and each of its indexes. */
export async function measureSizes(pool: pg.Pool, rows: number): Promise<Measurement> {
  const relations = (await pool.query<Relation>(RELATIONS)).rows
  const database = await pool.query<{ bytes: number }>('select pg_database_size(current_database()) as bytes')
  const settings = await pool.query<{ text: string }>(SETTINGS)
  const sum = (of: readonly Relation[]) => of.reduce((total, { bytes }) => total + bytes, 0)
  const each = relations.map((one) => `${one.name} ${(one.bytes / rows).toFixed(1)} B a row`)
  const figures = [
    once('rows', '', rows),
    once('table', 'MB', sum(relations.filter((one) => !one.is_index)) / MB),
    once('indexes', 'MB', sum(relations.filter((one) => one.is_index)) / MB),
    once('database', 'MB', (database.rows[0]?.bytes ?? Number.NaN) / MB),
  ]
  return {
    suite: 'growth',
    name: 'sizes',
    figures,
    usage: [],
    notes: [...each, settings.rows[0]?.text ?? ''],
    failures: [],
  }
}
