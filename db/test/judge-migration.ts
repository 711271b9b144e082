import type { Client } from 'pg'
import type { Migration } from '../src/read-migrations.ts'
import { listLocks, pictureSchema, type SchemaPicture } from './schema-picture.ts'

/** Small tables: one row, or one per partition. Writing all of their rows takes no time. */
const SMALL_TABLES = new Set(['topic', 'installation', 'relay_partitions'])
/** Postgres's documentation, "Explicit Locking": these keep writers waiting, the last readers too. */
const BLOCKING_LOCKS = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']
const WRITING_LOCK = 'RowExclusiveLock'

/**
 * Tries a migration on a schema that has all earlier ones, rolls it back, and returns what in it would break the previous
 * release or block its users meanwhile: docs/decisions/0024-expand-then-contract.md. Nothing else is connected.
 */
export async function judgeMigration(client: Client, { sql, marks }: Migration): Promise<string[]> {
  if (marks.has('concurrent index')) return []
  const before = await pictureSchema(client)
  await client.query('begin')
  try {
    await client.query(sql)
    const after = await pictureSchema(client)
    const locks = await listLocks(client)
    const takesAway = marks.has('contract') || marks.has('breaking')
    return [
      ...(takesAway ? [] : findTakenAway(before, after)),
      ...findDemands(before, after),
      ...findLongWork(before, after, locks),
    ]
  } finally {
    await client.query('rollback')
  }
}

function findTakenAway({ things: before }: SchemaPicture, { things: after }: SchemaPicture): string[] {
  return [...before].flatMap(([thing, detail]) => {
    const now = after.get(thing)
    if (now === undefined) return [`takes away ${thing}`]
    if (thing.startsWith('column ') && typeOf(now) !== typeOf(detail)) return [`changes the type of ${thing}`]
    return []
  })
}

/** Columns that become required, which the previous release leaves empty: new ones, and ones that could be null. */
function findDemands(before: SchemaPicture, after: SchemaPicture): string[] {
  return ofOldTables(before, after, 'column ').flatMap(([thing, detail]) => {
    const old = before.things.get(thing)
    if (!detail.endsWith(' not null') || old?.endsWith(' not null')) return []
    return [`wants ${thing} to be filled`]
  })
}

/** Steps that block others for longer the more rows there are, and steps that hold one lock while waiting for another. */
function findLongWork(
  before: SchemaPicture,
  after: SchemaPicture,
  locks: ReadonlyMap<string, readonly string[]>,
): string[] {
  const isNew = ([thing]: [string, string]) => !before.things.has(thing)
  const isLarge = ([table]: readonly [string, unknown]) => before.tables.has(table) && !SMALL_TABLES.has(table)
  const rewritten = [...after.files].filter((entry) => isLarge(entry) && before.files.get(entry[0]) !== entry[1])
  const old = [...locks].filter(isLarge)
  const written = old.filter(([, modes]) => modes.includes(WRITING_LOCK))
  const blocked = old.filter(([, modes]) => modes.some((mode) => BLOCKING_LOCKS.includes(mode))).map(([table]) => table)
  return [
    ...rewritten.map(([table]) => `writes all of ${table} anew`),
    ...written.map(([table]) => `writes rows of ${table}`),
    ...ofOldTables(before, after, 'index ')
      .filter(isNew)
      .map(([thing]) => `builds ${thing} while nobody can write`),
    ...ofOldTables(before, after, 'constraint ')
      .filter((entry) => isNew(entry) && entry[1] === 'valid')
      .map(([thing]) => `holds every row to ${thing} while nobody can write`),
    ...(blocked.length > 1 ? [`blocks more than one table: ${blocked.sort().join(', ')}`] : []),
  ]
}

/** Objects of one kind, in tables that already existed. */
function ofOldTables(before: SchemaPicture, after: SchemaPicture, kind: string): [string, string][] {
  return [...after.things].filter(([thing]) => {
    const [table = ''] = thing.slice(kind.length).split('.')
    return thing.startsWith(kind) && before.tables.has(table)
  })
}

const typeOf = (detail: string): string => detail.replace(/ (filled|not null)$/, '')
