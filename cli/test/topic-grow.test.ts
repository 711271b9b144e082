import { partitionFor } from '@streamledger/events'
import { test as base, expect, type Person, signUp, waitFor } from '@streamledger/testkit'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'
import { countOutbox, outboxIsEmpty, startApi, startRelay } from './system.ts'

const PARTITIONS = 2
const GROWN = 5
const test = base.extend('ledger', async ({ createDatabase, kafka }) => {
  return makeLedger(await createDatabase(), kafka, PARTITIONS)
})
const grow = (ledger: Ledger, ...args: string[]) =>
  runCli(['topic', 'grow', '--partitions', String(GROWN), '--json', ...args], ledger.env)
const status = async (ledger: Ledger) => (await runCli(['outbox', 'status', '--json'], ledger.env)).json

/** Posts one transaction after the other until stopped, each until it is accepted; tells what else was answered. */
function keepPosting(person: Person) {
  const refused: { status: number; code: string; retryAfter: string | null }[] = []
  let running = true
  let posted = 0
  const ended = (async () => {
    while (running) {
      const answer = await person.credit(100, `t-${posted}`)
      const body = (await answer.json()) as { code: string }
      if (answer.status === 201) posted += 1
      else refused.push({ status: answer.status, code: body.code, retryAfter: answer.headers.get('retry-after') })
    }
    return posted
  })()
  return {
    refused,
    posted: () => posted,
    stop: () => {
      running = false
      return ended
    },
  }
}

test('under load with a real API and relay a topic grows, nobody is overtaken, and the new lanes are taken at once', async ({
  ledger,
  kafka,
  spawnService,
}) => {
  const relay = await startRelay(ledger, spawnService)
  const api = await startApi(ledger, spawnService)
  const people: Person[] = []
  for (let index = 0; index < 6; index += 1) people.push(await signUp(api.url))
  const posters = people.map(keepPosting)
  await waitFor(() => posters.every(({ posted }) => posted() > 20), { timeoutMs: 30_000 })

  const { code, json } = await grow(ledger, '--yes')
  expect(json).toMatchObject({ ok: true, outcome: 'grown', from: PARTITIONS, partitions: GROWN })
  expect(code).toBe(0)
  const grownAt = posters.map(({ posted }) => posted())
  await waitFor(() => posters.every(({ posted }, index) => posted() > 20 + (grownAt[index] as number)), {
    timeoutMs: 30_000,
  })
  const counts = await Promise.all(posters.map((poster) => poster.stop()))
  await outboxIsEmpty(ledger)

  const records = await kafka.readAll(ledger.topic.name)
  expect(records).toHaveLength(counts.reduce((sum, count) => sum + count, 0))
  const moved = new Set<string>()
  for (const [key, own] of Map.groupBy(records, (record) => record.key as string)) {
    const before = own.filter(({ partition }) => partition === partitionFor(key, PARTITIONS))
    const after = own.filter(({ partition }) => partition === partitionFor(key, GROWN))
    if (partitionFor(key, PARTITIONS) === partitionFor(key, GROWN)) continue
    moved.add(key)
    const sequences = [...before, ...after].map(({ value }) => JSON.parse(value as string).sequence)
    expect(sequences).toEqual(sequences.map((_, index) => index + 1))
    expect(after.length).toBeGreaterThan(0)
  }
  expect(moved.size).toBeGreaterThan(0)
  const refused = posters.flatMap((poster) => poster.refused)
  expect(refused.length, 'the pause lasts until the last batch is confirmed').toBeGreaterThan(0)
  for (const one of refused) expect(one).toEqual({ status: 503, code: 'paused', retryAfter: expect.any(String) })
  expect((await runCli(['reconcile', '--json'], ledger.env)).json).toMatchObject({ ok: true })
  // It asked for the new partitions before it looked at them.
  expect(relay.logs).not.toMatch(/Kafka does not show partition [2-4] within/)
}, 180_000)

test('without --yes nothing is changed; and what is asked for must be more', async ({ ledger }) => {
  const planned = await grow(ledger)
  expect(planned.code).toBe(0)
  expect(planned.json).toMatchObject({ ok: true, outcome: 'planned', from: 2, partitions: GROWN })
  expect(await status(ledger)).toMatchObject({ paused: false })
  const shrunk = await runCli(['topic', 'grow', '--partitions', '1', '--yes'], ledger.env)
  expect(shrunk).toMatchObject({ code: 2, stderr: expect.stringContaining('a topic never shrinks') })
  const same = await runCli(['topic', 'grow', '--partitions', '2', '--yes'], ledger.env)
  expect(same).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing to do') })
})

test('where the outbox does not become empty, posting goes on as before', async ({ ledger }) => {
  const [wallet] = await ledger.addWallets(1)
  await ledger.post(wallet as number, 100)
  const { code, json } = await grow(ledger, '--yes', '--max-pause', '1')
  expect(code).toBe(2)
  expect(json.error).toMatchObject({
    code: 'incomplete',
    message: expect.stringContaining('1 rows were still in the outbox'),
  })
  const { rows } = await ledger.pool.query('select paused, paused_reason, partitions from topic')
  expect(rows).toEqual([{ paused: false, paused_reason: null, partitions: PARTITIONS }])
})

test('a growth that was killed while it waited shows as a pause, and the same command again finishes it', async ({
  ledger,
  spawnService,
}) => {
  const [wallet] = await ledger.addWallets(1)
  await ledger.post(wallet as number, 100)
  const killed = await spawnService('cli/src/main.ts', ledger.env, [
    'topic',
    'grow',
    '--partitions',
    String(GROWN),
    '--yes',
  ])
  await waitFor(async () => (await status(ledger)).paused)
  killed.signal('SIGKILL')
  await killed.exited
  expect(await status(ledger)).toMatchObject({ paused: true, paused_reason: `the topic grows to ${GROWN} partitions` })
  const text = await runCli(['outbox', 'status'], ledger.env)
  expect(text.stdout).toContain(`Posting is paused: the topic grows to ${GROWN} partitions.`)
  const other = await runCli(['topic', 'grow', '--partitions', '9', '--yes'], ledger.env)
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('posting is paused already') })

  await startRelay(ledger, spawnService)
  expect(await grow(ledger, '--yes')).toMatchObject({ code: 0 })
  expect(await status(ledger)).toMatchObject({ paused: false })
  const { rows } = await ledger.pool.query('select count(*)::int as lanes from relay_partitions')
  expect(rows[0].lanes).toBe(GROWN)
})

test('a growth that is told to stop, or is given up, lets posting go on', async ({ ledger, spawnService }) => {
  const [wallet] = await ledger.addWallets(1)
  await ledger.post(wallet as number, 100)
  const stopped = await spawnService('cli/src/main.ts', ledger.env, [
    'topic',
    'grow',
    '--partitions',
    String(GROWN),
    '--yes',
  ])
  await waitFor(async () => (await status(ledger)).paused)
  stopped.signal('SIGINT')
  expect(await stopped.exited).toMatchObject({ code: 2 })
  expect(await status(ledger)).toMatchObject({ paused: false })

  await ledger.pool.query('update topic set paused = true, paused_reason = $1', [
    `the topic grows to ${GROWN} partitions`,
  ])
  expect(await grow(ledger, '--abort')).toMatchObject({ code: 0, json: expect.objectContaining({ aborted: true }) })
  expect(await status(ledger)).toMatchObject({ paused: false })
})

test('a posting that saw the topic unpaused is waited for: its row is published before the count is switched', async ({
  ledger,
}) => {
  const [wallet] = await ledger.addWallets(1)
  const client = await ledger.pool.connect()
  await client.query('begin')
  // Has looked at the topic, and has written nothing yet: it has no transaction id that anyone could wait for.
  await client.query('select from topic where not paused')
  const growing = grow(ledger, '--yes', '--max-pause', '1')
  await waitFor(async () => {
    const { rows } = await ledger.pool.query(`select from pg_locks where relation = 'topic'::regclass and not granted`)
    return rows.length > 0
  })
  await client.query(
    `insert into outbox (partition, key, payload, headers) select 0, 'k', '{}', '{}' from wallets where id = $1`,
    [wallet],
  )
  await client.query('commit')
  client.release()
  const { code, json } = await growing
  expect(code).toBe(2)
  expect(json.error.message).toContain('1 rows were still in the outbox')
  expect(await countOutbox(ledger)).toBe(1)
})

test('partitions that somebody added behind our back get no rows; they are adopted by growing to as many', async ({
  ledger,
  kafka,
  spawnService,
}) => {
  await kafka.addPartitions(ledger.topic.name, 4)
  const relay = await startRelay(ledger, spawnService, { RELAY_TOPIC_CHECK_MS: '200' })
  const metrics = async () => (await fetch(`${relay.opsUrl}/metrics`)).text()
  await waitFor(async () => expect(await metrics()).toMatch(/streamledger_topic_partitions_unknown(\{[^}]*\})? 2\n/))
  await waitFor(() => expect(relay.logs).toContain('the topic has partitions that the database does not know'))
  await kafka.addPartitions(ledger.topic.name, GROWN)
  await waitFor(async () => expect(await metrics()).toMatch(/streamledger_topic_partitions_unknown(\{[^}]*\})? 3\n/))

  const wallets = await ledger.addWallets(20)
  for (const wallet of wallets) await ledger.post(wallet, 100)
  await outboxIsEmpty(ledger)
  const records = await kafka.readAll(ledger.topic.name)
  expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([0, 1]))

  const fewer = await runCli(['topic', 'grow', '--partitions', '4', '--yes'], ledger.env)
  expect(fewer).toMatchObject({ code: 2, stderr: expect.stringContaining(`grow to ${GROWN}, or to more`) })
  expect(await grow(ledger, '--yes')).toMatchObject({ code: 0 })
  await waitFor(async () => expect(await metrics()).toMatch(/streamledger_topic_partitions_unknown(\{[^}]*\})? 0\n/))
}, 180_000)
