import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@streamledger/testkit'

const EXAMPLE = resolve(import.meta.dirname, '../example/pay-a-bill.ts')

test('the example pays a bill once', async ({ database, spawnService }) => {
  const api = await spawnService('services/api/src/main.ts', {
    DATABASE_URL: database.url,
    INSTALLATION_ID: '7d0c8f0e-9b1c-4f5e-8a55-8d2f6f4f9a01',
    JWT_SECRET: 'a secret for tests, 32 bytes at least',
    EXPORT_DIR: tmpdir(),
  })
  await api.ready()
  const { stdout } = await promisify(execFile)(process.execPath, [EXAMPLE, api.url], { timeout: 20_000 })
  expect(
    stdout
      .replaceAll(/[\u00a0\u202f]/g, ' ')
      .trimEnd()
      .split('\n'),
  ).toEqual([
    'Ada has signed up',
    expect.stringMatching(/^salary: the balance is .*5,000\.00$/),
    expect.stringMatching(/^first try: paid, the balance is .*3,800\.00$/),
    expect.stringMatching(/^second try: was paid before, the balance is .*3,800\.00$/),
    expect.stringMatching(/^the yacht: The balance does not cover this debit\. There are .*3,800\.00\.$/),
    expect.stringMatching(/^2\. debit .*1,200\.00, then .*3,800\.00$/),
    expect.stringMatching(/^1\. credit .*5,000\.00, then .*5,000\.00$/),
  ])
})
