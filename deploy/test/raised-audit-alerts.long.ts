import { waitFor } from '@streamledger/testkit'
import { expect } from 'vitest'
import { AUDIT_FAULTS } from '../src/alert-faults.ts'
import { PATIENCE, test, type WatchedStack } from './watched-stack.ts'

const TEST_TIMEOUT_MS = 300_000

interface WaitingRow {
  id: number
  payload: string
  headers: object
}

/** Posts while the relay stands still, and lets it go on when `change` has done something to the rows that wait. */
async function changeOutbox(
  { relay, pool, post }: WatchedStack,
  count: number,
  change: (rows: WaitingRow[]) => Promise<void>,
): Promise<void> {
  relay.signal('SIGSTOP')
  for (let posted = 0; posted < count; posted += 1) expect(await post()).toBe(201)
  const { rows } = await pool.query<WaitingRow>('select id, payload, headers from outbox order by id')
  expect(rows).toHaveLength(count)
  await change(rows)
  relay.signal('SIGCONT')
}

const outboxIsEmpty = ({ pool }: WatchedStack): Promise<unknown> =>
  waitFor(async () => (await pool.query('select from outbox limit 1')).rowCount === 0, PATIENCE)

test('what the audit of a real topic finds raises its alert from a real Prometheus', {
  timeout: TEST_TIMEOUT_MS,
}, async ({ watchStack, kafka }) => {
  const stack = await watchStack()
  const { pool, topic, prometheus, audit, ways, post, fires } = stack
  const write = ({ id }: Pick<WaitingRow, 'id'>, { payload, headers }: Omit<WaitingRow, 'id'>) =>
    pool.query('update outbox set payload = $2, headers = $3 where id = $1', [id, payload, JSON.stringify(headers)])

  // Waiting rows are deleted, changed and swapped before the relay publishes them.
  await changeOutbox(stack, 4, async ([deleted, changed, one, other]) => {
    if (!deleted || !changed || !one || !other) throw new Error('there are too few rows')
    await pool.query('delete from outbox where id = $1', [deleted.id])
    await write(changed, { ...changed, payload: changed.payload.replace('"amount":1', '"amount":2') })
    await write(one, other)
    await write(other, one)
  })
  for (const fault of ['missing', 'mismatched', 'out_of_order']) await fires('StreamledgerAuditFindings', { fault })

  // A program that has no business there writes an event that was there already, and one of nothing.
  const [event] = await kafka.readAll(topic, { count: 1 })
  if (!event) throw new Error('the topic is empty')
  const { key, value, headers } = event
  await kafka.write(topic, [{ key, value, headers }])
  await fires('StreamledgerAuditFindings', { fault: 'doubled' })
  await kafka.write(topic, [{ key, value: '{}', headers }])
  await fires('StreamledgerAuditFindings', { fault: 'foreign' })

  // The topic forgets what the audit, which does not get to it, has not read.
  audit.signal('SIGSTOP')
  expect(await post()).toBe(201)
  await outboxIsEmpty(stack)
  await kafka.removeRecords(topic)
  audit.signal('SIGCONT')
  await fires('StreamledgerAuditReset', { reason: 'retention' })

  // It loses its way to Postgres, and finds it again by itself.
  ways.audit.goDown()
  await fires('StreamledgerAuditStalled')
  ways.audit.comeUp()
  const isStalled = async () => (await prometheus.readFiring()).has('StreamledgerAuditStalled')
  await waitFor(async () => !(await isStalled()), PATIENCE)
  expect([...stack.fired].sort()).toEqual(Object.keys(AUDIT_FAULTS).sort())
})
