import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@streamledger/testkit'

const dir = mkdtempSync(join(tmpdir(), 'drill-'))

test('what the runbook promises of backup and restore holds, whatever is lost', async ({
  spawnService,
  onTestFinished,
}) => {
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const drill = await spawnService('tools/chaos/src/drill-main.ts', {}, ['--dir', dir, '--history', '200'])
  const { code } = await drill.exited
  expect({ code, logs: drill.logs }).toEqual({ code: 0, logs: expect.stringMatching(/All \d+ claims hold\./) })
})
