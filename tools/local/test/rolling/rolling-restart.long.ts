import { exportJobKey } from '@streamledger/events'
import { expect, waitFor } from '@streamledger/testkit'
import { expectNothingLost } from './expect-nothing-lost.ts'
import { startPeople } from './people.ts'
import { Person } from './person.ts'
import { type Replica, type System, test } from './system.ts'
import { watchAttempts } from './watch-attempts.ts'

const CLIENTS = 12
/** Each a page of its own: more than an exporter can write within its drain. */
const LONG_HISTORY = 1_500
/** What two exporters write at once. */
const LONG_EXPORTS = 4
const PATIENCE = { timeoutMs: 60_000 }

test('each of two APIs, relays and exporters is replaced under load, and no client notices', async ({
  system,
  kafka,
}) => {
  await system.start()
  const historian = await Person.signUp(system.balancer.url)
  await Promise.all(Array.from({ length: LONG_HISTORY }, () => historian.post()))
  const people = await startPeople(system, CLIENTS)
  const attempts = watchAttempts(system.database.pool)

  for (const replica of system.replicas) {
    const { process } = replica
    const ids = replica.name === 'exporter' ? await orderLongExports(historian, system, replica) : []
    const { stopMs } = await system.replace(replica)
    console.log(`${replica.name} stopped in ${Math.round(stopMs)} ms`)
    if (ids.length > 0) await waitFor(() => process.logs.includes('handing the export back'))
    await Promise.all(ids.map((id) => historian.awaitExport(id)))
    await people.goOn()
  }

  await people.stop()
  await expectNothingLost([historian, ...people.all], system, kafka)
  // They were told to go, not left to find out.
  expect(people.all.flatMap(({ seen }) => seen.replies).filter(({ closes }) => closes).length).toBeGreaterThan(0)
  // An export that a stop interrupted has begun again, and has not failed.
  expect(await attempts.stop()).toBe(1)
  await system.stop()
})

/** Resolves when the exporter is in the middle of at least one of them. */
async function orderLongExports(historian: Person, { database }: System, { process }: Replica): Promise<string[]> {
  const ids = await Promise.all(Array.from({ length: LONG_EXPORTS }, () => historian.orderExport()))
  await waitFor(async () => {
    const [, poolId] = /"poolId":"(pool-[0-9a-f]+)"/.exec(process.logs) ?? []
    const { rows } = await database.pool.query(
      `select from exports join graphile_worker.jobs job on job.key = $3 || exports.id
       where exports.id = any($1) and rows_done > 0 and job.locked_by = $2`,
      [ids, poolId, exportJobKey('')],
    )
    expect(rows.length).toBeGreaterThan(0)
  }, PATIENCE)
  return ids
}
