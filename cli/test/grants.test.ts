import { randomUUID } from 'node:crypto'
import { divideRoles, expect, test } from '@streamledger/testkit'
import { runCli } from './run-cli.ts'

test('grants shows what it would do, does it with --yes, and finds nothing to do then', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const { owner } = await divideRoles(url)
  const password = randomUUID()
  const addresses = ['API', 'RELAY', 'EXPORTER'].map((service) => {
    const address = new URL(url)
    Object.assign(address, { username: `${service.toLowerCase()}_${password.slice(0, 8)}`, password })
    return [`${service}_DATABASE_URL`, address.href]
  })
  const env = { DATABASE_URL: owner, ...Object.fromEntries(addresses) }

  const planned = await runCli(['grants'], env)
  expect(planned).toMatchObject({ code: 0, stderr: '' })
  expect(planned.stdout).toContain(`grant select, delete on table public.outbox to "relay_${password.slice(0, 8)}";`)
  expect(planned.stdout).toContain('Nothing was changed. Add --yes to do it.')
  expect((await runCli(['grants', '--json'], env)).json).toMatchObject({ ok: true, outcome: 'planned' })
  const granted = await runCli(['grants', '--yes', '--json'], env)
  expect(granted.json).toMatchObject({ outcome: 'granted', warnings: [] })
  expect(planned.stdout + granted.stdout).not.toContain(password)
  const names = addresses.flatMap(([name = '', address = '']) => [
    `--${name.split('_')[0]?.toLowerCase()}`,
    new URL(address).username,
  ])
  expect((await runCli(['grants', '--yes', '--json', ...names], { DATABASE_URL: owner })).json).toMatchObject({ outcome: 'there', statements: [] }) // biome-ignore format: one claim

  // A role of a service may not do what the command line is for, and says so.
  const denied = await runCli(['verify'], { DATABASE_URL: env.RELAY_DATABASE_URL ?? '' })
  expect(denied.code).toBe(2)
  expect(denied.stderr).toContain('Commands that only read need the role of the audit')
})

test.each([
  [['--api', 'a', '--relay', 'b'], {}, 'EXPORTER_DATABASE_URL is missing'],
  [['--api', 'a', '--relay', 'b'], { EXPORTER_DATABASE_URL: 'no:address' }, 'EXPORTER_DATABASE_URL must be'],
])('grants %j is refused with what is wrong', async (args, env, message) => {
  const { code, stderr } = await runCli(['grants', ...args], {
    DATABASE_URL: 'postgres://owner@127.0.0.1:1/none',
    ...env,
  })
  expect(code).toBe(2)
  expect(stderr).toContain(message)
})

test('grants to a role that does not exist, without its password, says how to create it', async ({
  createDatabase,
}) => {
  const { url } = await createDatabase({ empty: true })
  const { owner } = await divideRoles(url)
  const { code, stderr } = await runCli(['grants', '--api', 'nobody', '--relay', 'nobody', '--exporter', 'nobody'], { DATABASE_URL: owner }) // biome-ignore format: one line
  expect(code).toBe(2)
  expect(stderr).toContain(`There is no such role. It is nobody. Create it (create role "nobody" login password '…')`)
})
