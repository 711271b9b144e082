import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { test as base, expect, waitFor } from '@streamledger/testkit'
import { readLane } from '../src/resolve/read-lane.ts'
import { resolveLane } from '../src/resolve/resolve-lane.ts'
import { readOutbox, removeBefore, withOpenTransaction, write } from './forge.ts'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'
import { countOutbox, outboxIsEmpty, startRelay } from './system.ts'

const ROWS = 4
const test = base.extend('ledger', async ({ createDatabase, kafka }) => makeLedger(await createDatabase(), kafka, 1))

const resolve = (ledger: Ledger, ...args: string[]) =>
  runCli(['relay', 'resolve', '--partition', '0', '--json', ...args], ledger.env)
const did = (as: string) => ['--as', as, '--reason', 'the receipt group was deleted', '--yes']

async function readHalt({ pool }: Ledger): Promise<string | null> {
  const { rows } = await pool.query('select halted_reason from relay_partitions')
  return rows[0].halted_reason
}

/**
 * Two users with two rows each in a batch that is open, of which so many are in the topic, and one row after it. A relay
 * that knows up to where batches are confirmed, and finds nothing after it, would settle the batch by itself.
 */
async function openBatch(ledger: Ledger, published: number): Promise<void> {
  const [one, other] = (await ledger.addWallets(2)) as [number, number]
  for (const wallet of [one, other, one, other]) await ledger.post(wallet, 100)
  const records = await readOutbox(ledger)
  if (published > 0) await write(ledger, records.slice(0, published))
  await ledger.pool.query(
    `update relay_partitions set batch_seq = 5, batch_id = gen_random_uuid(), batch_last_id = (select max(id) from outbox),
            batch_snapshot = pg_current_snapshot(), batch_rows = $1, next_offset = $2`,
    [ROWS, published > 0 ? 0 : null],
  )
  await ledger.post(one, 100)
}

/** Without a receipt the relay can't know; patience is over soon. */
const startImpatientRelay = async (ledger: Ledger, spawn: Parameters<typeof startRelay>[1]) => {
  const relay = await startRelay(ledger, spawn, { RELAY_RECEIPT_PATIENCE_MS: '200' })
  await waitFor(async () => expect(await readHalt(ledger)).toContain('there is no receipt of any batch'), {
    timeoutMs: 30_000,
  })
  const metrics = await (await fetch(`${relay.opsUrl}/metrics`)).text()
  expect(metrics).toMatch(/streamledger_relay_partitions_halted(\{[^}]*\})? 1\n/)
  return relay
}

const OUTCOMES: [string, number][] = [
  ['published', ROWS],
  ['unpublished', 0],
  ['partly', 2],
]

test.for(OUTCOMES)(
  'receipts were deleted with a batch open that was %s: the topic speaks for it, and the partition flows again',
  { timeout: 180_000 },
  async ([outcome, published], { ledger, kafka, spawnService }) => {
    await openBatch(ledger, published)
    const relay = await startImpatientRelay(ledger, spawnService)

    const shown = await resolve(ledger)
    expect(shown.code).toBe(2)
    expect(shown.json).toMatchObject({ ok: false, fits: outcome, contradictions: [] })
    expect(shown.json.evidence).toMatchObject({
      ...{ batch_rows: ROWS, batch_rows_in_topic: published, other_rows: 1, other_rows_in_topic: 0 },
      receipt: null,
    })
    for (const wrong of ['published', 'unpublished', 'partly'].filter((as) => as !== outcome)) {
      if (outcome === 'published' && wrong === 'partly') continue // which comes to the same
      const refused = await resolve(ledger, ...did(wrong))
      expect(refused).toMatchObject({ code: 2, json: { error: { code: 'unsuitable' } } })
      expect(await readHalt(ledger)).not.toBeNull()
    }

    expect(await resolve(ledger, ...did(outcome))).toMatchObject({ code: 0, json: { ok: true, as: outcome } })
    await outboxIsEmpty(ledger)
    expect(await kafka.readAll(ledger.topic.name)).toHaveLength(ROWS + 1)
    expect((await runCli(['reconcile', '--json'], ledger.env)).json).toMatchObject({ ok: true, events: ROWS + 1 })
    const { rows } = await ledger.pool.query('select * from relay_resolutions')
    expect(rows).toEqual([
      expect.objectContaining({
        ...{ partition: 0, batch_seq: 5, batch_id: expect.any(String), outcome },
        ...{ reason: 'the receipt group was deleted', resolved_by: expect.stringContaining('@') },
        evidence: expect.objectContaining({ batch_rows_in_topic: published, overruled: [] }),
      }),
    ])
    expect(relay.logs.match(/partition halted/g)).toHaveLength(1)
  },
)

test('what hangs, what is unknown and what would break the order is refused, unless it is forced', {
  timeout: 180_000,
}, async ({ ledger }) => {
  await openBatch(ledger, 0)
  await ledger.pool.query(`update relay_partitions set halted_at = now(), halted_reason = 'a test'`)
  const records = await readOutbox(ledger)
  const hanging = { partition: 0, value: 'hangs' }
  await withOpenTransaction(ledger, hanging, async () => {
    const { json } = await resolve(ledger, ...did('unpublished'))
    expect(json.error.message).toContain('a transaction hangs there')
  })
  // The second row of the first user without the first.
  await write(ledger, records.slice(2, 3))
  expect((await resolve(ledger, ...did('partly'))).json.error.message).toContain('the order cannot be kept')
  await write(ledger, [{ partition: 0, value: 'nonsense' }])
  expect((await resolve(ledger, ...did('partly'))).json.error.message).toContain(
    '1 events in the topic belong to transactions',
  )
  expect(await readHalt(ledger)).toBe('a test')

  await removeBefore(ledger, 0, 1)
  expect((await resolve(ledger, ...did('partly'))).json.error.message).toContain('1 offsets before 1 were removed')

  const forced = await resolve(ledger, ...did('partly'), '--force')
  expect(forced.json.ok).toBe(true)
  expect(forced.json.contradictions).toHaveLength(3)
  const { rows } = await ledger.pool.query('select evidence from relay_resolutions')
  expect(rows[0].evidence.overruled).toHaveLength(3)
})

test('a partition that was resolved while somebody still wrote to it halts again instead of going on', async ({
  ledger,
  spawnService,
}) => {
  await openBatch(ledger, 0)
  await ledger.pool.query(`update relay_partitions set halted_at = now(), halted_reason = 'a test'`)
  expect(await resolve(ledger, ...did('unpublished'))).toMatchObject({ code: 0 })
  await write(ledger, [{ partition: 0, value: 'of somebody else' }])
  await startRelay(ledger, spawnService)
  await waitFor(async () => expect(await readHalt(ledger)).toContain('another producer writes to it'), {
    timeoutMs: 30_000,
  })
})

test('a lane that is not as it was when the evidence was read is left alone', async ({ ledger }) => {
  await openBatch(ledger, 0)
  await ledger.pool.query(`update relay_partitions set halted_at = now(), halted_reason = 'a test'`)
  const lane = await readLane(ledger.pool, 0)
  const sight = { receipt: undefined, stable: 0, end: 0 }
  const seen = {
    lane,
    sight,
    from: 0,
    removed: 0,
    batchPublished: 0,
    otherRows: 0,
    otherPublished: 0,
    overtaken: undefined,
    lost: [],
  }
  const { rows } = await ledger.pool.query<{ id: number }>('select id from outbox')
  const ids = rows.map(({ id }) => id)
  const resolution = { outcome: 'published' as const, reason: 'a test', by: 'a test', overruled: [] }
  // It went on, and was halted once more.
  await ledger.pool.query('update relay_partitions set halted_at = now()')
  const late = resolveLane(ledger.pool, { ...seen, batchIds: ids, publishedIds: ids }, resolution)
  await expect(late).rejects.toThrow('has changed in the meantime')
  expect(await countOutbox(ledger)).toBe(ROWS + 1)
  expect(await readHalt(ledger)).toBe('a test')
})

test('a shell reads in the printed command the reason that was given', async ({ ledger }) => {
  await openBatch(ledger, 0)
  await ledger.pool.query(`update relay_partitions set halted_at = now(), halted_reason = 'a test'`)
  const reason = `-it's "gone" for $(echo ever), \`now\` \\ !`
  const { stdout } = await runCli(
    ['relay', 'resolve', '--partition', '0', '--as', 'unpublished', `--reason=${reason}`],
    ledger.env,
  )
  const command = stdout.split('\n').find((line) => line.trim().startsWith('streamledger relay resolve'))
  const print = `streamledger() { printf '%s\\n' "$@"; }; ${command}`
  const { stdout: words } = await promisify(execFile)('sh', ['-c', print])
  expect(words.split('\n')).toContain(`--reason=${reason}`)
})

test('only a halted partition is resolved, with a reason, and as something', async ({ ledger }) => {
  const text = await runCli(['relay', 'resolve', '--partition', '0'], ledger.env)
  expect(text).toMatchObject({ code: 0, stdout: 'Partition 0 is not halted: nothing to resolve.\n' })
  const again = await resolve(ledger, ...did('unpublished'))
  expect({ code: again.code, json: again.json }).toEqual({
    code: 0,
    json: { command: 'relay resolve', ok: true, partition: 0, halted: false },
  })
  expect((await resolve(ledger, '--as', 'partly', '--yes')).json.error.message).toContain('--reason is missing')
  expect((await resolve(ledger, '--reason', 'x', '--yes')).json.error.message).toContain('--as is missing')
  expect((await resolve(ledger, '--as', 'somehow')).json.error.message).toContain(
    'it must be one of: published, unpublished, partly',
  )
  expect((await resolve(ledger, '--all')).json.error.code).toBe('usage')
  const { rows } = await ledger.pool.query('select from relay_resolutions')
  expect(rows).toHaveLength(0)
})
