import { randomUUID } from 'node:crypto'
import { expect, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { openCell, PARTITIONS, PATIENT, waitUntilStruck } from './cell.ts'
import { isFirstStep, isLastStep, STEPS } from './steps.ts'

// In the middle of a batch a lease goes to another holder, which does nothing with it. So the first process is not
// fenced, and only Postgres tells it that it has lost the lease.

const STEPS_OF_A_BATCH = STEPS.filter((step) => !isFirstStep(step) && !isLastStep(step))
test.concurrent.for(STEPS_OF_A_BATCH)(
  'a lane that loses its lease before $title leaves Postgres alone from then on',
  async ({ title: _, ...step }, { createDatabase, kafka, spawnService }) => {
    const cell = await openCell({ createDatabase, kafka, spawnService })
    const { pool } = cell
    const relay = await cell.start()
    await cell.isSteady(1)
    const fault = cell.arm({ ...step, point: 'before', signal: 'SIGSTOP' })
    await cell.insert()
    await waitUntilStruck(fault, [relay])

    await stealLeases(pool)
    const stolen = await readLanes(pool)
    relay.signal('SIGCONT')
    await waitFor(() => expect(lanesThatKnow(relay)).toHaveLength(PARTITIONS), PATIENT)
    expect(await readLanes(pool)).toEqual(stolen)

    await pool.query('update relay_partitions set lease_expires_at = now()')
    await cell.insert()
    await cell.isDrained()
    await cell.isOnceAndInOrder()
    cell.close()
  },
)

/** Each lane notices the loss when leases are renewed, or when an intent matches no row. */
function lanesThatKnow({ logs }: ServiceProcess): number[] {
  const lines = logs.split('\n').filter((line) => /lease lost|is no longer at batch/.test(line))
  return [...new Set(lines.map((line) => (JSON.parse(line) as { partition: number }).partition))]
}

async function stealLeases(pool: Pool): Promise<void> {
  await pool.query(
    `update relay_partitions
        set lease_owner = $1, lease_token = gen_random_uuid(), lease_expires_at = now() + interval '50 seconds'`,
    [randomUUID()],
  )
}

/** Where the lanes stand, and how many rows each has. */
async function readLanes(pool: Pool): Promise<unknown[]> {
  const { rows } = await pool.query(
    `select partition, lease_token, batch_seq, batch_id, next_offset,
            (select count(*)::int from outbox o where o.partition = p.partition) as rows
       from relay_partitions p order by partition`,
  )
  return rows
}
