import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { type Figure, once } from '../suite.ts'

export interface DatabaseWatch {
  /** What was looked for in vain in PostgreSQL's own memory, and read from the disk. */
  readonly figures: Figure[]
  readonly walBytes: number
}

interface Look {
  hits: number
  reads: number
  wal: number
  disk_mb: number
}

const LOOK = `
  select blks_hit as hits, blks_read as reads, (pg_current_wal_insert_lsn() - '0/0')::bigint as wal
    from pg_stat_database where datname = current_database()`
const KB_PER_MB = 1_024
const READ_BYTES = 2 ** 20

/** Notes what PostgreSQL reads and writes; what is returned ends it, and tells. */
export async function watchDatabase(pool: pg.Pool): Promise<() => Promise<DatabaseWatch>> {
  const before = await look(pool)
  return async () => {
    const after = await look(pool)
    const [hits, reads] = [after.hits - before.hits, after.reads - before.reads]
    return {
      figures: [
        once('hits', '%', (100 * hits) / (hits + reads)),
        once('disk reads', 'MB', after.disk_mb - before.disk_mb),
      ],
      walBytes: after.wal - before.wal,
    }
  }
}

async function look(pool: pg.Pool): Promise<Look> {
  const { rows } = await pool.query<Omit<Look, 'disk_mb'>>(LOOK)
  return { ...(rows[0] as Look), disk_mb: readDiskMb() }
}

/** What the whole machine has read from its disks; NaN where there is no /proc. */
function readDiskMb(): number {
  if (process.platform !== 'linux') return Number.NaN
  return Number(/^pgpgin (\d+)/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? Number.NaN) / KB_PER_MB
}

/**
 * Reads the database's files once, so that they are in the machine's memory as far as it reaches: as they would be after
 * a day of service, and not as after a start.
 */
export async function readFilesOnce(pool: pg.Pool, signal: AbortSignal): Promise<void> {
  const { rows } = await pool.query<{ folder: string; oid: string }>(
    `select current_setting('data_directory') as folder, oid::text from pg_database where datname = current_database()`,
  )
  const [{ folder, oid } = { folder: '', oid: '' }] = rows
  const path = join(folder, 'base', oid)
  for (const file of readdirSync(path)) {
    for await (const _ of createReadStream(join(path, file), { highWaterMark: READ_BYTES })) signal.throwIfAborted()
  }
}
