import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@streamledger/testkit'

const dir = mkdtempSync(join(tmpdir(), 'fail-over-'))

/** Its first turns lose the standby, freeze the primary, and kill the primary and a broker. */
const SEED = '1'

test('nothing that a client was answered is lost when PostgreSQL fails over under Patroni', {
  timeout: 900_000,
}, async ({ spawnService, onTestFinished }) => {
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const args = ['fail-over', '--dir', dir, '--seed', SEED, '--times', '3']
  const drill = await spawnService('tools/chaos/src/drill-main.ts', {}, args)
  const { code } = await drill.exited
  expect({ code, logs: drill.logs }).toEqual({ code: 0, logs: expect.stringContaining('Nothing was found.') })
})

test('with asynchronous replication, what is lost is what reconcile and the runbook name', {
  timeout: 900_000,
}, async ({ spawnService, onTestFinished }) => {
  const own = `${dir}-asynchronous`
  onTestFinished(() => rmSync(own, { recursive: true, force: true }))
  const args = ['fail-over', '--asynchronous', '--dir', own, '--times', '1']
  const drill = await spawnService('tools/chaos/src/drill-main.ts', {}, args)
  const { code } = await drill.exited
  expect({ code, logs: drill.logs }).toEqual({ code: 0, logs: expect.stringMatching(/All \d+ claims hold\./) })
})
