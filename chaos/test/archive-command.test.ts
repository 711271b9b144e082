import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { archiveCommand } from '../src/drill/postgres-backup.ts'

const RUNBOOK = resolve(import.meta.dirname, '../../docs/runbook.md')

test('the drill archives WAL with the command that the runbook gives', () => {
  const command = archiveCommand('/wal').replaceAll("'/wal'", '/wal')
  expect(readFileSync(RUNBOOK, 'utf8')).toContain(`\narchive_command = '${command}'\n`)
})
