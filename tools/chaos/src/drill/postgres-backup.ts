import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '@streamledger/testkit/wait-for'
import type pg from 'pg'
import { copyFolder } from './copy-folder.ts'

/**
 * The target of a restore: a time, a WAL position, or the end of the WAL. The names are settings of Postgres.
 */
export type RecoveryTarget = { recovery_target_time: string } | { recovery_target_lsn: string } | Record<string, never>

export interface BaseBackup {
  readonly bytes: number
  readonly ms: number
}

export interface BackupPlaces {
  /** Postgres's own. */
  readonly data: string
  readonly archive: string
  readonly base: string
}

/** A partly filled segment is archived after this time. It is the maximum data loss when the disk is lost. */
const ARCHIVE_TIMEOUT_S = 5
const ARCHIVED_WITHIN_MS = 30_000
/** Paths that pg_basebackup leaves out, too: a server recreates them at its start, and the archive has the WAL. */
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|(pg_wal|pg_replslot|pg_dynshmem|pg_notify|pg_serial|pg_snapshots|pg_stat_tmp|pg_subtrans)\/.*)$|(^|\/)pgsql_tmp/

/** Base backups and archived WAL of one Postgres, and restores from them, without any program but the server itself. */
export class PostgresBackup {
  readonly places: BackupPlaces
  #recovery: Record<string, string> = {}

  constructor(places: BackupPlaces) {
    this.places = places
  }

  /** For each start of the server. */
  settings(): Record<string, string> {
    const { archive } = this.places
    return {
      archive_mode: 'on',
      archive_command: archiveCommand(archive),
      archive_timeout: `${ARCHIVE_TIMEOUT_S}s`,
      ...this.#recovery,
    }
  }

  /** The server archives as the user that it runs as. */
  openArchive(): void {
    const { data, archive } = this.places
    mkdirSync(archive, { recursive: true })
    const { uid, gid } = statSync(data)
    chownSync(archive, uid, gid)
  }

  /** Of the running server, as pg_basebackup takes it, which npm's PostgreSQL comes without. */
  async takeBase(pool: pg.Pool): Promise<BaseBackup> {
    const { data, base } = this.places
    const startedAt = performance.now()
    rmSync(base, { recursive: true, force: true })
    const client = await pool.connect() // one session, from the start to the stop
    try {
      await client.query(`select pg_backup_start('drill', fast => true)`)
      const bytes = await copyFolder(data, base, (path) => !LEFT_OUT.test(path))
      const { rows } = await client.query<{ labelfile: string; spcmapfile: string }>(
        'select labelfile, spcmapfile from pg_backup_stop()', // returns when the archive has the WAL that it needs
      )
      writeAsOwner(base, 'backup_label', rows[0]?.labelfile ?? '')
      if (rows[0]?.spcmapfile) writeAsOwner(base, 'tablespace_map', rows[0].spcmapfile)
      return { bytes, ms: performance.now() - startedAt }
    } finally {
      client.release()
    }
  }

  /** Resolves when the archive has all WAL up to this position. */
  async untilArchived(pool: pg.Pool, lsn: string): Promise<void> {
    const { rows } = await pool.query<{ file: string }>('select pg_walfile_name($1::pg_lsn) as file', [lsn])
    const file = rows[0]?.file as string
    await waitFor(() => existsSync(join(this.places.archive, file)), { timeoutMs: ARCHIVED_WITHIN_MS })
  }

  /** Removes the data: all of it, or all but the WAL. */
  loseData({ walSurvives }: { walSurvives: boolean }): void {
    const { data } = this.places
    for (const name of readdirSync(data)) {
      if (!walSurvives || name !== 'pg_wal') rmSync(join(data, name), { recursive: true, force: true })
    }
  }

  /** Copies the base backup back; the next start recovers up to the target and begins a new timeline. */
  async lay(target: RecoveryTarget): Promise<void> {
    const { data, base, archive } = this.places
    await copyFolder(base, data, () => true)
    writeAsOwner(data, 'recovery.signal', '')
    this.#recovery = {
      restore_command: `cp ${quoteForShell(archive)}/%f "%p"`,
      recovery_target_action: 'promote',
      ...target,
    }
  }
}

/** The server renames and removes these files as the user that it runs as. */
function writeAsOwner(folder: string, name: string, text: string): void {
  const { uid, gid } = statSync(folder)
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  chownSync(join(folder, name), uid, gid)
}

/**
 * A segment is complete under its final name, or missing, and never overwrites another one. An identical existing
 * segment counts as archived: a server that was killed before it had recorded that archives it again.
 */
function archiveCommand(archive: string): string {
  const to = `${quoteForShell(archive)}/%f`
  return `if test -f ${to}; then cmp -s "%p" ${to}; else cp "%p" ${to}.part && sync ${to}.part && mv ${to}.part ${to}; fi`
}

/** Postgres reads a percent sign as a placeholder; within single quotes the shell interprets nothing. */
const quoteForShell = (path: string): string => `'${path.replaceAll('%', '%%').replaceAll("'", "'\\''")}'`
