import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'

export const MIGRATIONS = new URL('../migrations/', import.meta.url)

const MARKS = [
  /** The previous release cannot run with it, and refuses to start. */
  'breaking',
  /** Removes something that the previous release no longer uses. */
  'contract',
  /** Builds one index concurrently, outside of a transaction, while its table is in use. */
  'concurrent index',
] as const
export type MigrationMark = (typeof MARKS)[number]

export interface Migration {
  version: number
  name: string
  sql: string
  checksum: string
  marks: ReadonlySet<MigrationMark>
}

/** The migrations of a folder of NNNN_<what>.sql files, in order. */
export async function readMigrations(folder: URL = MIGRATIONS): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8')
      const checksum = createHash('sha256').update(sql).digest('hex')
      return { version: Number(name.slice(0, 4)), name, sql, checksum, marks: readMarks(name, sql) }
    }),
  )
}

/** Reads the marks: each is on its own line, at the top of the file. */
function readMarks(name: string, sql: string): Set<MigrationMark> {
  const [head = ''] = /^(--! .*\n)*/.exec(sql) ?? []
  const marks = head.split('\n').flatMap((line) => (line === '' ? [] : [line.slice('--! '.length).trim()]))
  for (const mark of marks) {
    if (!MARKS.includes(mark as MigrationMark)) throw new Error(`migration ${name} has an unknown mark: ${mark}`)
  }
  return new Set(marks as MigrationMark[])
}
