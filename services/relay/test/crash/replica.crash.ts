import { expect, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { type Cell, openCell, PARTITIONS, PATIENT, readLeases, waitUntilStruck } from './cell.ts'
import type { Strike } from './fault.ts'
import { isFirstStep, isLastStep, POINTS, STEPS, WORDS } from './steps.ts'

// A replica is killed, or sleeps past its lease and wakes, before and after everything that it says to Postgres and
// Kafka. A test goes through one step's six cells; only who is dead is replaced in between.

const SIGNALS: Strike['signal'][] = ['SIGKILL', 'SIGSTOP']

interface Fleet {
  cell: Cell
  size: number
  relays: ServiceProcess[]
}

for (const size of [1, 3]) {
  test.concurrent.for(STEPS)(
    `one of ${size} is killed, and sleeps past its lease, around $title`,
    async ({ title, ...step }, { createDatabase, kafka, spawnService }) => {
      const fleet: Fleet = { cell: await openCell({ createDatabase, kafka, spawnService }), size, relays: [] }
      for (const signal of SIGNALS) {
        for (const point of POINTS) {
          await strikeOne(fleet, { ...step, point, signal }).catch((cause) => {
            throw new Error(`${signal} ${WORDS[point]} ${title}: ${cause.message}`, { cause })
          })
        }
      }
      fleet.cell.close()
    },
  )
}

async function strikeOne(fleet: Fleet, strike: Strike): Promise<void> {
  const { cell, size } = fleet
  const fault = isFirstStep(strike) ? await armBeforeStart(fleet, strike) : await armAtWork(fleet, strike)
  await cell.insert()
  const { victim } = await waitUntilStruck(fault, fleet.relays)
  if (strike.signal === 'SIGSTOP') await oversleep(cell, size, victim)
  if (strike.signal === 'SIGKILL' || isLastStep(strike)) {
    // It was asked to stop before it was paused, so it ends in order.
    if (strike.signal === 'SIGSTOP') expect(await victim.exited).toEqual({ code: 0, signal: null })
    remove(fleet, victim)
  }
  // Three replicas make it good without a fourth.
  if (size > 1) await cell.isDrained()
  await fill(fleet)
  await cell.insert()
  await cell.isDrained()
  await cell.isOnceAndInOrder()
}

async function armAtWork(fleet: Fleet, strike: Strike) {
  await fill(fleet)
  await fleet.cell.isSteady(fleet.size)
  return fleet.cell.arm(strike)
}

/** A new replica reaches its first steps when it takes its share from a replica that has just died. */
async function armBeforeStart(fleet: Fleet, strike: Strike) {
  const [oldest] = fleet.relays
  if (oldest) {
    oldest.signal('SIGKILL')
    await oldest.exited
    remove(fleet, oldest)
  }
  const fault = fleet.cell.arm(strike)
  await fill(fleet)
  return fault
}

async function fill({ cell, size, relays }: Fleet): Promise<void> {
  const missing = Array.from({ length: size - relays.length }, () => cell.start())
  relays.push(...(await Promise.all(missing)))
}

function remove({ relays }: Fleet, relay: ServiceProcess): void {
  relays.splice(relays.indexOf(relay), 1)
}

/**
 * The paused replica's leases expire; the other replicas, if any, take them and publish all rows; then it continues.
 */
async function oversleep({ pool, isDrained }: Cell, size: number, sleeper: ServiceProcess): Promise<void> {
  const others = { owners: size - 1, partitions: size > 1 ? PARTITIONS : 0 }
  await waitFor(async () => expect(await readLeases(pool)).toEqual(others), PATIENT)
  if (size > 1) await isDrained()
  sleeper.signal('SIGCONT')
}
