import { RELEASE } from '@streamledger/runtime'
import { expect, waitFor } from '@streamledger/testkit'
import { openTopicLog } from '../src/reconcile/open-topic-log.ts'
import { judged, NONE, post, postMore, test } from './audit-test.ts'
import { type ForgedRecord, publishOutbox, readOutbox, removeBefore, withOpenTransaction, write } from './forge.ts'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'

/** The records of one wallet, in order. */
const of = (records: ForgedRecord[], wallet: number): ForgedRecord[] =>
  records.filter(({ value }) => JSON.parse(String(value)).wallet_id === wallet)

const changed = (record: ForgedRecord, fields: object): ForgedRecord => ({
  ...record,
  value: JSON.stringify({ ...JSON.parse(String(record.value)), ...fields }),
})

test('a clean flow counts no fault, and the ops port tells how far it is', async ({ ledger, start }) => {
  const before = await post(ledger)
  await publishOutbox(ledger, { change: (records) => records.slice(1) }) // not asked for: it was before
  const audit = await start()
  await postMore(ledger, before)
  await publishOutbox(ledger)
  await post(ledger)
  await write(ledger, await readOutbox(ledger), 'abort')
  await publishOutbox(ledger)
  expect(await judged(audit, ledger)).toEqual(NONE)
  expect(await audit.metric('events_total')).toBe(24)
  expect(await audit.metric('behind_offsets', '0')).toBe(0)
  expect(await audit.metric('next_offset', '0')).toBeGreaterThan(0)

  audit.signal('SIGTERM')
  const { code, stdout } = await audit.finished
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual({ command: 'audit', ok: true, events: 24, faults: NONE })
  const [first = ''] = audit.logs.split('\n')
  expect(JSON.parse(first)).toMatchObject({ service: 'audit', version: RELEASE, msg: 'starting' })
})

test('planted faults are counted once each, also over a kill and a restart', async ({ ledger, start, stateFile }) => {
  const first = await start({ AUDIT_STATE_FILE: stateFile })
  const wallets = await ledger.addWallets(6)
  await postMore(ledger, wallets)
  const [inner, last, twice, odd, changedOne, swapped] = wallets as [number, number, number, number, number, number]
  await publishOutbox(ledger, {
    change: (records) => {
      const place = (wallet: number, sequence: number) => of(records, wallet)[sequence - 1] as ForgedRecord
      const [second, third] = [place(swapped, 2), place(swapped, 3)]
      const planted = records
        .filter((record) => record !== place(inner, 2) && record !== place(last, 3))
        .map((record) => (record === place(changedOne, 1) ? changed(record, { amount: 1 }) : record))
        .map((record) => (record === second ? third : record === third ? second : record))
      return [...planted, place(twice, 2), changed(place(odd, 1), { transaction_id: 999_999 })]
    },
  })
  const found = { missing: 2, doubled: 1, foreign: 1, mismatched: 1, out_of_order: 1 }
  expect(await judged(first, ledger)).toEqual(found)
  // Each fault is logged with its place.
  await waitFor(() => {
    expect(first.logs).toContain(`wallet ${inner}: sequence 2 has no event`)
    expect(first.logs).toContain(`wallet ${last}: sequence 3 has no event`)
    expect(first.logs).toMatch(new RegExp(`wallet ${twice}, sequence 2\\) has an earlier event`))
    expect(first.logs).toContain('there is no transaction 999999')
    expect(first.logs).toMatch(new RegExp(`wallet ${changedOne}, sequence 1\\) in amount`))
    expect(first.logs).toMatch(new RegExp(`wallet ${swapped}, sequence 2\\) comes after a later event`))
  })
  await first.kill()

  const second = await start({ AUDIT_STATE_FILE: stateFile })
  await postMore(ledger, wallets)
  await publishOutbox(ledger)
  expect(await judged(second, ledger)).toEqual(found)
  second.signal('SIGTERM')
  expect((await second.finished).code).toBe(1)
})

test('a fault whose two halves lie before and after a restart is found', async ({ ledger, start, stateFile }) => {
  const first = await start({ AUDIT_STATE_FILE: stateFile })
  const wallets = await post(ledger)
  const records = await publishOutbox(ledger)
  expect(await judged(first, ledger)).toEqual(NONE)
  first.signal('SIGTERM')
  expect((await first.finished).code).toBe(0)

  // While no audit runs: one event is written twice, one never.
  await write(ledger, [of(records, wallets[0] as number)[1] as ForgedRecord])
  await ledger.post(wallets[1] as number, 5)
  await ledger.pool.query('delete from outbox')
  const second = await start({ AUDIT_STATE_FILE: stateFile })
  expect(await judged(second, ledger)).toEqual({ ...NONE, doubled: 1, missing: 1 })
})

test('what waits in the outbox is not missing, however long; what was deleted from it is', async ({
  ledger,
  start,
}) => {
  const audit = await start()
  const [wallet = 0, other = 0] = await post(ledger)
  const posted = Date.now() / 1_000
  // Many looks at the ledger later.
  await waitFor(async () => (await audit.metric('round_timestamp_seconds')) > posted + 1)
  expect(await audit.faults()).toEqual(NONE)
  await ledger.pool.query(`delete from outbox where payload like '%"wallet_id":${wallet},%"sequence":3}'`)
  await publishOutbox(ledger)
  expect(await judged(audit, ledger)).toEqual({ ...NONE, missing: 1 })
  // It is counted once, whatever comes later.
  await ledger.post(wallet, 7)
  await ledger.post(other, 7)
  await publishOutbox(ledger)
  expect(await judged(audit, ledger)).toEqual({ ...NONE, missing: 1 })
})

test('a partition that stands still keeps no other from being judged', async ({ ledger, start }) => {
  const audit = await start()
  await post(ledger)
  const [stuck = { partition: 0 }] = await readOutbox(ledger)
  const { rowCount } = await ledger.pool.query('delete from outbox where partition <> $1', [stuck.partition])
  await waitFor(async () => (await audit.faults()).missing === rowCount, { timeoutMs: 20_000 })
  expect(await audit.faults()).toEqual({ ...NONE, missing: rowCount })
})

test('what has left the outbox and nobody can read yet is missing only after the grace', async ({ ledger, start }) => {
  const patient = await start({ AUDIT_GRACE_MS: '3600000' })
  const hasty = await start({ AUDIT_GRACE_MS: '0' })
  await post(ledger)
  const records = await readOutbox(ledger)
  const [held] = records as [ForgedRecord]
  const hidden = records.filter(({ partition }) => partition === held.partition)
  // An open transaction hides what was written after it, as a lost mark does.
  await withOpenTransaction(ledger, held, async () => {
    await write(ledger, records)
    await ledger.pool.query('delete from outbox')
    await waitFor(async () => (await hasty.faults()).missing === hidden.length, { timeoutMs: 20_000 })
    expect(await patient.faults()).toEqual(NONE)
  })
  expect(await judged(patient, ledger)).toEqual(NONE)
})

test('--since begins earlier, and a state that is there goes before it', async ({ ledger, start, stateFile }) => {
  await post(ledger)
  await publishOutbox(ledger, { change: (records) => records.slice(1) })
  const first = await start({ AUDIT_STATE_FILE: stateFile }, ['--since', '1h'])
  expect(await judged(first, ledger)).toEqual({ ...NONE, missing: 1 })
  expect(await first.metric('events_total')).toBe(11)
  await first.kill()
  const second = await start({ AUDIT_STATE_FILE: stateFile }, ['--since', '1h'])
  expect(await judged(second, ledger)).toEqual({ ...NONE, missing: 1 })
  expect(await second.metric('events_total')).toBe(0)
})

test('events that left the topic unread are said, and not called missing', async ({ ledger, start, stateFile }) => {
  const first = await start({ AUDIT_STATE_FILE: stateFile })
  const wallets = await post(ledger)
  await first.kill()
  await publishOutbox(ledger)
  await removeBefore(ledger, 0, 2)
  const second = await start({ AUDIT_STATE_FILE: stateFile })
  expect(await judged(second, ledger)).toEqual(NONE)
  expect(await second.metric('resets_total')).toBe(1)
  await postMore(ledger, wallets)
  await publishOutbox(ledger)
  expect(await judged(second, ledger)).toEqual(NONE)
})

test('a topic that grows is followed, and nobody whose events move is missed', async ({ ledger, start }) => {
  const audit = await start()
  const wallets = await post(ledger)
  await publishOutbox(ledger)
  const grown = await runCli(['topic', 'grow', '--partitions', '5', '--yes'], ledger.env)
  expect(grown.code, grown.stderr).toBe(0)
  ledger.topic.partitions = 5
  await postMore(ledger, wallets)
  const records = await publishOutbox(ledger, { change: (all) => all.slice(1) })
  expect(new Set(records.map(({ partition }) => partition)).size).toBeGreaterThan(1)
  expect(await judged(audit, ledger)).toEqual({ ...NONE, missing: 1 })
  expect(await audit.metric('events_total')).toBe(12 + 11)
})

test('a state file is of one ledger, and of one audit at a time', async ({
  ledger,
  start,
  stateFile,
  createDatabase,
  kafka,
}) => {
  const first = await start({ AUDIT_STATE_FILE: stateFile })
  await expect(start({ AUDIT_STATE_FILE: stateFile })).rejects.toThrow(/Check that no other audit uses it/)
  await first.kill()
  const other = await makeLedger(await createDatabase(), kafka)
  await expect(start({ ...other.env, AUDIT_STATE_FILE: stateFile })).rejects.toThrow(/belongs to installation/)
  await expect(start({ AUDIT_POLL_MS: 'none' })).rejects.toThrow(/AUDIT_POLL_MS/)
  expect(ledger.topic.name).not.toBe(other.topic.name)
})

/** Records which topic it is, as a relay does. */
async function pinTopic(ledger: Ledger): Promise<void> {
  const resolve = ['relay', 'resolve', '--all', '--reason', 'a test', '--yes']
  expect(await runCli(resolve, ledger.env)).toMatchObject({ code: 0 })
}

test('an audit goes on from its position in a topic that an operator has adopted, and says who did', async ({
  ledger,
  stateFile,
  start,
}) => {
  const wallets = await post(ledger)
  await publishOutbox(ledger)
  await pinTopic(ledger)
  const env = { AUDIT_STATE_FILE: stateFile }
  const first = await start(env, ['--since', '1d'])
  expect(await judged(first, ledger)).toEqual(NONE)
  await first.kill()

  await postMore(ledger, wallets)
  await publishOutbox(ledger, { change: (records) => records.slice(1) })
  await ledger.pool.query(
    `with moved as (update topic set kafka_topic_id = 'another' returning old.*)
     insert into cluster_adoptions (from_cluster_id, from_topic_id, to_cluster_id, to_topic_id, reason, adopted_by, evidence)
     select kafka_cluster_id, kafka_topic_id, kafka_cluster_id, 'another', 'moved by hand', 'ada@example', '[]' from moved`,
  )
  const second = await start(env)
  expect(await judged(second, ledger)).toEqual({ ...NONE, missing: 1 })
  expect(await second.metric('resets_total')).toBe(0)
  expect(second.logs).toContain('ada@example')
})

test('an audit with the addresses of the old Kafka misses nothing that is in the new one', async ({
  ledger,
  start,
}) => {
  const wallets = await post(ledger)
  await publishOutbox(ledger)
  await pinTopic(ledger)
  const audit = await start()
  await ledger.pool.query(`update topic set kafka_cluster_id = 'another'`)
  await postMore(ledger, wallets)
  await ledger.pool.query('delete from outbox')
  await waitFor(() => expect(audit.logs).toContain('KAFKA_BROKERS is wrong'), { timeoutMs: 20_000 })
  expect(await audit.faults()).toEqual(NONE)
})

test('an audit begins anew where its topic was created again, though that has grown past its position', async ({
  ledger,
  stateFile,
  kafka,
  start,
}) => {
  const wallets = await post(ledger)
  await publishOutbox(ledger)
  await pinTopic(ledger)
  const env = { AUDIT_STATE_FILE: stateFile }
  const first = await start(env, ['--since', '1d'])
  expect(await judged(first, ledger)).toEqual(NONE)
  await first.kill()

  await kafka.createTopicAnew(ledger.topic.name, 2)
  await postMore(ledger, wallets)
  await postMore(ledger, wallets)
  await publishOutbox(ledger)
  await pinTopic(ledger)
  const second = await start(env)
  expect(await judged(second, ledger)).toEqual(NONE)
  expect(await second.metric('resets_total')).toBe(1)
})

// A broker that the controllers and the other brokers have lost, and that can still be reached, answers from its last state.
// Two doors to one broker stand for two brokers.
test('nothing is missing because the first broker has an old state: another one is asked before, also by reconcile', async ({
  createDatabase,
  startProxiedKafka,
  start,
}) => {
  const [zombie, well] = [await startProxiedKafka(), await startProxiedKafka()]
  const ledger = await makeLedger(await createDatabase(), well, 1)
  const wallets = await post(ledger)
  await publishOutbox(ledger)
  const env = { ...ledger.env, KAFKA_BROKERS: `${zombie.proxiedBrokers},${well.proxiedBrokers}` }
  const audit = await start(env, ['--since', '1d'])
  expect(await judged(audit, ledger)).toEqual(NONE)

  let old: Buffer | undefined
  // The answers end with the offset. The one for the beginning of the topic is 0.
  const rewrite = (answer: Buffer): Buffer => {
    if (answer.subarray(-8).equals(Buffer.alloc(8))) return answer
    old ??= answer
    return old
  }
  const answers = zombie.proxy.disturb('ListOffsets', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
  await waitFor(() => expect(old).toBeDefined())
  await postMore(ledger, wallets)
  await publishOutbox(ledger)
  expect(await judged(audit, ledger)).toEqual(NONE)
  expect(await audit.metric('events_total')).toBe(24)
  expect(answers.met).toBeGreaterThan(1)

  const log = await openTopicLog({ brokers: [well.proxiedBrokers] }, ledger.topic.name)
  await ledger.pool.query('update relay_partitions set next_offset = $1', [(await log.range(0)).end])
  await log.close()
  const { code, stdout } = await runCli(['reconcile'], env)
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('24') })
})
