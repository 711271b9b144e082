import { expect, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { type Cell, openCell, PATIENT, waitUntilStruck } from './cell.ts'
import type { Point } from './fault.ts'
import { readReceipts, type StoredReceipt, writeReceipt } from './receipt-group.ts'
import { type NamedStep, POINTS } from './steps.ts'

// A relay is killed with a batch open, and the next one is killed while it settles what became of it.

/** All of a lane's requests from the fence on. */
const SETTLING: NamedStep[] = [
  { title: 'the fence', step: 'fence', nth: 1 },
  { title: "the fence's receipt", step: 'receipt', nth: 1 },
  { title: "the fence's abort", step: 'abort', nth: 1 },
  { title: 'looking for the fence', step: 'look', nth: 1 },
]
const PUBLISHING: NamedStep[] = [
  { title: 'reading the rows of the open batch', step: 'read open batch', nth: 1 },
  { title: 'sending them again', step: 'send', nth: 1 },
  { title: 'their receipt', step: 'receipt', nth: 2 },
  { title: 'their commit', step: 'commit', nth: 1 },
  { title: 'the intent that confirms them', step: 'intent', nth: 1 },
]
const COMPLETING: NamedStep[] = [
  { title: 'the receipt that is missing', step: 'receipt', nth: 2 },
  { title: 'its commit', step: 'commit', nth: 1 },
]

/** Kills a relay at its commit: before it is sent, the batch is not in Kafka; after its answer, it is. */
async function leaveOpenBatch(cell: Cell, relay: ServiceProcess, point: 'before' | 'after'): Promise<number> {
  await cell.isSteady(1)
  const fault = cell.arm({ step: 'commit', nth: 1, point, signal: 'SIGKILL' })
  await cell.insert()
  const { lane } = await waitUntilStruck(fault, [relay])
  return lane as number
}

/** Kills the next relay at this step of its recovery, and sees the one after it, which is returned, make all good. */
async function killTheNext(cell: Cell, { title: _, ...step }: NamedStep, point: Point): Promise<ServiceProcess> {
  const fault = cell.arm({ ...step, point, since: 'fence', signal: 'SIGKILL' })
  await waitUntilStruck(fault, [await cell.start()])
  const heir = await cell.start()
  await cell.insert()
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  return heir
}

test.concurrent.for([...SETTLING, ...PUBLISHING])(
  'a batch is not in Kafka, and the relay that settles it is killed around $title',
  async (step, { createDatabase, kafka, spawnService }) => {
    const cell = await openCell({ createDatabase, kafka, spawnService })
    let relay = await cell.start()
    for (const point of POINTS) {
      await leaveOpenBatch(cell, relay, 'before')
      relay = await killTheNext(cell, step, point)
    }
    cell.close()
  },
)

test.concurrent.for(COMPLETING)(
  'a batch lacks its receipt, and the relay that settles it is killed around $title',
  async (step, { createDatabase, kafka, spawnService }) => {
    const cell = await openCell({ createDatabase, kafka, spawnService })
    let relay = await cell.start()
    for (const point of POINTS) {
      await cell.isSteady(1)
      const before = await readReceipts(kafka.brokers, cell.installation)
      const lane = await leaveOpenBatch(cell, relay, 'after')
      await putBack(kafka.brokers, cell, before.get(lane))
      relay = await killTheNext(cell, step, point)
    }
    cell.close()
  },
)

test.concurrent('a batch that lacks its receipt gets it and is not published again', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const cell = await openCell({ createDatabase, kafka, spawnService })
  const relay = await cell.start()
  await cell.isSteady(1)
  const before = await readReceipts(kafka.brokers, cell.installation)
  const lane = await leaveOpenBatch(cell, relay, 'after')
  await putBack(kafka.brokers, cell, before.get(lane))
  const next = await cell.start()
  await cell.isDrained()
  await waitFor(
    () => expect(next.logs).toContain('open batch was in Kafka without its receipt, receipt written'),
    PATIENT,
  )
  await cell.isOnceAndInOrder()
  cell.close()
})

/** Puts the receipt of the batch before in the place of the last one, as a mark that was left out in the group does. */
async function putBack(brokers: string, { installation }: Cell, before: StoredReceipt | undefined): Promise<void> {
  if (!before) throw new Error('there was no receipt before')
  // The commit is acknowledged before its mark is in the group.
  await waitFor(async () => {
    const now = (await readReceipts(brokers, installation)).get(before.partition)
    return now?.metadata !== before.metadata
  })
  await writeReceipt(brokers, installation, before)
}
