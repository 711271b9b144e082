import { RELEASE } from '@streamledger/runtime'
import { test as base, expect } from '@streamledger/testkit'
import { COMMANDS } from '../src/commands.ts'
import { makeLedger } from './ledger.ts'
import { runCli, spawnCli } from './run-cli.ts'

const test = base.extend('ledger', async ({ createDatabase, kafka }) => makeLedger(await createDatabase(), kafka))

test('--help lists the commands; without one, the same goes to stderr and the exit code is 2', async () => {
  const help = await spawnCli(['--help'])
  expect(help.code).toBe(0)
  for (const { name } of COMMANDS) expect(help.stdout).toContain(name)
  const none = await spawnCli([])
  expect(none).toMatchObject({ code: 2, stdout: '', stderr: help.stdout })
})

test('--help names the commands that do something only with --yes, and says what the others do', async () => {
  const { stdout } = await runCli(['--help'])
  const [, named = ''] = /Most commands only read\. (.*) show what they would do, and do it only with --yes\./.exec(stdout.replaceAll('\n', ' ')) ?? [] // biome-ignore format: one line
  const asking = COMMANDS.filter(({ options }) => options.yes).map(({ name }) => `\`${name}\``)
  expect(named.split(/, | and /).sort()).toEqual(asking.sort())
  expect(stdout).toContain('`topic create` creates a missing topic at once; it never changes an existing topic.')
})

test('--version tells the release, and nothing else', async () => {
  const { code, stdout, stderr } = await spawnCli(['--version'])
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${RELEASE}\n`, stderr: '' })
  expect((await spawnCli(['--version', '--json'])).json).toEqual({ version: RELEASE })
  expect((await spawnCli(['--help'])).stdout).toContain('--version')
})

test.for(COMMANDS.map(({ name }) => name))('%s --help teaches, with examples and exit codes', async (name) => {
  const { code, stdout } = await runCli([...name.split(' '), '--help'])
  expect(code).toBe(0)
  expect(stdout).toContain(`Usage: streamledger ${name}`)
  expect(stdout.split(`streamledger ${name}`).length).toBeGreaterThan(3)
  for (const word of ['Examples:', '--json', '--progress', 'Exit code:']) expect(stdout).toContain(word)
})

test.for([
  [['nonsense'], /There is no command "nonsense".*verify, reconcile, audit, outbox status.*streamledger --help/],
  [['outbox'], /There is no command "outbox".*Did you mean: outbox status/],
  [['verify', '--fast'], /Unknown option '--fast'.*streamledger verify --help/],
  [['verify', 'wallet'], /verify takes no argument "wallet"/],
  [['reconcile', '--since'], /argument missing.*streamledger reconcile --help/],
  [['reconcile', '--since', 'yesterday'], /--since is "yesterday"; it must be/],
  [['reconcile', '--until', '2026-02-28T06:00:00'], /a time with its zone/],
  [['reconcile', '--since', '1h', '--until', '2h'], /--since must be before --until/],
  [['reconcile', '--partition', 'x'], /--partition is "x"/],
  [['outbox', 'status', '--max-age', '-1'], /argument/],
  [['verify'], /DATABASE_URL is not set.*\.env\.example/],
  [['reconcile'], /DATABASE_URL is not set.*; KAFKA_BROKERS is not set/],
] as const)('%j is wrong use, and the message says what to do', async ([args, message]) => {
  const { code, stdout, stderr } = await runCli(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(message)
  expect(stderr.trim().split('\n')).toHaveLength(1)
})

test('with --json an error is a document, too', async () => {
  const { code, json, stderr } = await spawnCli(['verify', '--json', '--fast'])
  expect(code).toBe(2)
  expect(json).toEqual({ ok: false, error: { code: 'usage', message: stderr.trim() } })
})

test('engines that cannot be reached are named, without a password', async ({ ledger }) => {
  const port = 9 // no program listens there
  const postgres = await runCli(['verify'], { DATABASE_URL: `postgres://sl:secret@127.0.0.1:${port}/x` })
  expect(postgres.code).toBe(2)
  expect(postgres.stderr).toMatch(/^Postgres at 127\.0\.0\.1:\d+ cannot be reached.*DATABASE_URL right\?\n$/)
  expect(postgres.stderr).not.toContain('secret')

  const kafka = await runCli(['reconcile'], { ...ledger.env, KAFKA_BROKERS: `127.0.0.1:${port}` })
  expect(kafka.code).toBe(2)
  expect(kafka.stderr).toMatch(/^Kafka at 127\.0\.0\.1:\d+ cannot be reached.*KAFKA_BROKERS right\?\n$/)
})

test('a database, a topic or a partition that is not what it should be is named', async ({
  ledger,
  createDatabase,
}) => {
  const empty = await createDatabase({ empty: true })
  const foreign = await runCli(['verify'], { DATABASE_URL: empty.url })
  expect(foreign).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a StreamLedger database') })
  const unused = await createDatabase()
  const fresh = await runCli(['outbox', 'status'], { DATABASE_URL: unused.url })
  expect(fresh).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('No service has started on this database yet'),
  })
  const none = await runCli(['verify'], { DATABASE_URL: `${empty.url}_not` })
  expect(none).toMatchObject({ code: 2, stderr: expect.stringMatching(/does not exist\. Check DATABASE_URL/) })

  const partition = await runCli(['reconcile', '--partition', '9'], ledger.env)
  expect(partition).toMatchObject({ code: 2, stderr: expect.stringContaining('has no partition 9: they are 0 to 1') })
  await ledger.pool.query(`update topic set name = 'no-such-topic'`)
  const topic = await runCli(['reconcile'], ledger.env)
  expect(topic).toMatchObject({ code: 2, stderr: expect.stringContaining('has no topic "no-such-topic"') })
})
