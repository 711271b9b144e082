import { randomUUID } from 'node:crypto'
import { expect, test, waitFor } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { openCell, PATIENT, waitUntilStruck } from './cell.ts'
import { isFirstStep, isLastStep, STEPS } from './steps.ts'

// A lease goes to somebody else in the middle of a batch, who does nothing with it: the process that had it is not fenced,
// and learns of its loss from Postgres alone.

const STEPS_OF_A_BATCH = STEPS.filter((step) => !isFirstStep(step) && !isLastStep(step))
/** Longer than the relay takes to do what it was about to do, and to hear that its lease is lost. */
const THEFT_MS = 2_500

test.concurrent.for(STEPS_OF_A_BATCH)(
  'a lane that loses its lease before $title loses and doubles nothing',
  async ({ title: _, ...step }, { createDatabase, kafka, spawnService }) => {
    const cell = await openCell({ createDatabase, kafka, spawnService })
    const { pool } = cell
    const relay = await cell.start()
    await cell.isSteady(1)
    const fault = cell.arm({ ...step, point: 'before', signal: 'SIGSTOP' })
    await cell.insert()
    await waitUntilStruck(fault, [relay])

    const thief = await stealLeases(pool)
    relay.signal('SIGCONT')
    // It hears of it when it renews its leases, or from an intent that finds nothing to move.
    await waitFor(() => expect(relay.logs).toMatch(/lease lost|is no longer at batch/), PATIENT)
    await waitFor(async () => (await countStolen(pool, thief)) === 0, PATIENT)

    await cell.insert()
    await cell.isDrained()
    await cell.isOnceAndInOrder()
    cell.close()
  },
)

async function stealLeases(pool: Pool): Promise<string> {
  const thief = randomUUID()
  await pool.query(
    `update relay_partitions set lease_owner = $1, lease_token = gen_random_uuid(), lease_expires_at = now() + $2::interval`,
    [thief, `${THEFT_MS} milliseconds`],
  )
  return thief
}

async function countStolen(pool: Pool, thief: string): Promise<number> {
  const { rows } = await pool.query(
    'select count(*)::int as stolen from relay_partitions where lease_owner = $1 and lease_expires_at > now()',
    [thief],
  )
  return rows[0].stolen
}
