import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { PostgresBackup } from '../src/drill/postgres-backup.ts'

const RUNBOOK = resolve(import.meta.dirname, '../../../docs/runbook.md')

test('the drill archives WAL with the command that the runbook gives', () => {
  const backup = new PostgresBackup({ data: '/data', archive: '/wal', base: '/base' })
  const command = backup.settings().archive_command?.replaceAll("'/wal'", '/wal')
  expect(readFileSync(RUNBOOK, 'utf8')).toContain(`\narchive_command = '${command}'\n`)
})
