import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { takeInstanceLock } from '../src/instance-lock.ts'

const SELF = ['node'] // words of this very process's command line
const PID_OF_NOBODY = 2 ** 22 + 1 // above the largest pid that Linux gives out

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

test('a folder belongs to one supervisor at a time', () => {
  const folder = makeFolder()
  const lock = takeInstanceLock(folder, SELF)
  if (!('release' in lock)) throw new Error('a free folder is taken')
  expect(takeInstanceLock(folder, SELF)).toEqual({ heldBy: process.pid })
  lock.release()
  expect(takeInstanceLock(folder, SELF)).toMatchObject({ leftovers: [] })
})

test.each([
  ['gone', PID_OF_NOBODY, SELF],
  ['another program by now', process.pid, ['a supervisor of ours']],
])('the lock of a holder that is %s is taken over, with what it left running', (_, pid, words) => {
  const folder = makeFolder()
  const processes = [{ role: 'api', name: 'api-1', pid: 7 }]
  writeFileSync(join(folder, 'supervisor.lock'), JSON.stringify({ pid, processes }))
  expect(takeInstanceLock(folder, words)).toMatchObject({ leftovers: processes })
})
