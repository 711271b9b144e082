import { createReadStream, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { type Figure, once } from '../suite.ts'

export interface DatabaseWatch {
  /** Buffer hits of PostgreSQL, and bytes read from the disk. */
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

/** Measures what PostgreSQL reads and writes. The returned function ends the measurement and returns the result. */
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

/** Megabytes that the whole machine has read from its disks; NaN without /proc. */
function readDiskMb(): number {
  if (process.platform !== 'linux') return Number.NaN
  return Number(/^pgpgin (\d+)/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? Number.NaN) / KB_PER_MB
}

/**
 * Reads the database's files once, so that the system caches as much as fits: like after a day of service, not like
 * after a start.
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
