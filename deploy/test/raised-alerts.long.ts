import { rmSync } from 'node:fs'
import { waitFor } from '@streamledger/testkit'
import { expect } from 'vitest'
import { SERVICE_FAULTS } from '../src/alert-faults.ts'
import { DASHBOARDS, listExpressions } from './read-dashboard.ts'
import { PATIENCE, test, type WatchedStack } from './watched-stack.ts'

const TEST_TIMEOUT_MS = 400_000

/** An export of the one wallet there is, and a job with these options. */
async function orderExport({ pool }: WatchedStack, options: string): Promise<void> {
  await pool.query(
    `with ordered as (insert into exports (wallet_id, as_of_sequence) select id, sequence from wallets returning id)
     select graphile_worker.add_job('export_transactions', json_build_object('export_id', id::text), ${options}) from ordered`,
  )
}

/** Keeps what a statement locks, in another session of Postgres, for as long as `use` takes. */
async function withLock({ pool }: WatchedStack, statement: string, use: () => Promise<void>): Promise<void> {
  const holder = await pool.connect()
  try {
    await holder.query(`begin; set local idle_in_transaction_session_timeout = 0; ${statement}`)
    await use()
  } finally {
    await holder.query('rollback')
    holder.release()
  }
}

/** Requests the list of exports, whose queries are not shared, with this many readers while `use` runs. */
async function keepListing({ call }: WatchedStack, readers: number, use: () => Promise<void>): Promise<void> {
  let isOver = false
  const read = async (): Promise<void> => {
    while (!isOver) await call('/transactions/exports')
  }
  const reading = Array.from({ length: readers }, read)
  try {
    await use()
  } finally {
    isOver = true
    await Promise.all(reading)
  }
}

test('a real fault of each kind raises its alert from a real Prometheus', { timeout: TEST_TIMEOUT_MS }, async ({
  watchStack,
  kafka,
}) => {
  const stack = await watchStack()
  const { relay, pool, ways, collector, prometheus, post, fires } = stack
  // The collector of traces says no, while there are few that it has taken.
  collector.mood = 'refusing'
  for (const _ of [1, 2, 3]) expect(await post()).toBe(201)
  await fires('StreamledgerSpansLost', { service: 'api', severity: 'ticket' })
  collector.mood = 'taking'

  // The relay has something to say from here on, and nobody reads it.
  relay.stopReading()

  // Another tool adds partitions to the topic.
  await kafka.addPartitions(stack.topic, 3)
  await fires('StreamledgerTopicPartitionsUnknown', { severity: 'ticket' })
  await fires('StreamledgerLogLinesDropped', { service: 'relay', severity: 'ticket' })

  // It also sets the topic to compaction, and back.
  const room = { 'max.message.bytes': '2097152' }
  await kafka.configure(stack.topic, { ...room, 'cleanup.policy': 'compact' })
  await fires('StreamledgerTopicSettingsUnsafe', { severity: 'page' })
  await kafka.configure(stack.topic, { ...room, 'cleanup.policy': 'delete' })

  // A row that this Postgres cannot have written, as after a restore. The relay itself decides to halt.
  await pool.query(
    `insert into outbox (partition, key, payload, headers, xid, created_at)
     values (0, 'k', '{}', '{}', '900000000000'::xid8, now() - interval '1 hour')`,
  )
  await fires('StreamledgerPartitionHalted', { severity: 'page' })
  expect(await post()).toBe(201) // its event waits from now on
  await fires('StreamledgerEventsLate', { partition: '0' })
  await fires('StreamledgerEventsVeryLate', { partition: '0' })

  // The partition has been halted for a week.
  await pool.query(`update relay_partitions set receipt_at = now() - interval '6 days 12 hours'`)
  await fires('StreamledgerReceiptOld', { partition: '0' })
  await fires('StreamledgerReceiptNearlyExpired', { partition: '0' })

  // An amount in the ledger is changed by hand.
  const forger = await pool.connect()
  await forger.query(
    'set session_replication_role = replica; update transactions set amount = amount + 1 where sequence = 1',
  )
  forger.release(true)
  await orderExport(stack, 'max_attempts := 1')
  await fires('StreamledgerExportsContradictLedger', { code: 'balances_differ' })

  // The folder of the exports is gone, and this was the last attempt.
  rmSync(stack.exportFolder, { recursive: true })
  await orderExport(stack, 'max_attempts := 1')
  await fires('StreamledgerExportsFail', { code: 'storage_unavailable' })

  // A queue that an exporter has locked, and left so.
  await orderExport(stack, `queue_name := 'left', run_at := now() + interval '1 hour'`)
  await pool.query(`update graphile_worker._private_job_queues set locked_at = now(), locked_by = 'nobody'`)
  await pool.query(`update graphile_worker._private_jobs set run_at = now() - interval '20 minutes' where job_queue_id is not null`) // biome-ignore format: one line
  await fires('StreamledgerExportsWait')

  // Another session holds the wallet for longer than a posting may take.
  const late: Promise<number>[] = []
  await withLock(stack, 'select from wallets for update', async () => {
    late.push(...Array.from({ length: 15 }, post))
    await waitFor(async () => expect(await prometheus.query('posting_pending')).toEqual([15]), PATIENCE)
  })
  expect(await Promise.all(late)).not.toContain(500)
  await fires('StreamledgerPostingsSlow', { severity: 'page' })
  await fires('StreamledgerPostingsSlowly', { severity: 'ticket' })

  // The halted partition has not been resolved all the while.
  await fires('StreamledgerAuditBehind', { severity: 'ticket' })

  // One burst, in one scrape: no failure went before, or came after.
  ways.api.goDown()
  const answers = await Promise.all(Array.from({ length: 20 }, post))
  expect(answers).toEqual(Array.from({ length: 20 }, () => 503))
  await fires('StreamledgerRequestsFail', { severity: 'page' })
  await fires('StreamledgerRequestsFailSlowly', { severity: 'ticket' })

  // Postgres is back, and another session locks the table of exports.
  ways.api.comeUp()
  await withLock(stack, 'lock table exports in access exclusive mode', () =>
    keepListing(stack, 8, async () => {
      await fires('StreamledgerPoolExhausted', { service: 'api', pool: 'main' })
      // Services ask for a connection to tell of their metrics, and do not wait for it.
      const exhausted = (await prometheus.readFiring()).get('StreamledgerPoolExhausted') ?? []
      expect(new Set(exhausted.map(({ service }) => service))).toEqual(new Set(['api']))
    }),
  )

  // By now something of everything has happened: no panel of a dashboard is without a line.
  const empty = await Promise.all(
    DASHBOARDS.flatMap(listExpressions).map(async (expr) => ((await prometheus.query(expr)).length > 0 ? [] : [expr])),
  )
  expect(empty.flat()).toEqual([])

  // The relay loses its connection to Postgres: it no longer reports the halted partition.
  ways.relay.goDown()
  await fires('StreamledgerOutboxUnseen', { severity: 'page' })
  expect((await prometheus.readFiring()).has('StreamledgerEventsVeryLate')).toBe(false)

  relay.signal('SIGKILL')
  await fires('StreamledgerProcessDown', { job: 'streamledger-relay' })
  await fires('StreamledgerServiceDown', { job: 'streamledger-relay' })
  expect([...stack.fired].sort()).toEqual(Object.keys(SERVICE_FAULTS).sort())
})
