import { migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { expect, test, waitFor } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { createOutbox } from '../src/outbox.ts'
import { makeOpenBatch } from './lane.ts'

test('a lane whose open batch no standby has is not read before a standby has it', async ({ startPostgres }) => {
  const postgres = await startPostgres()
  const standby = await postgres.addStandby()
  await migrate(postgres.url)
  const connect = (url: string) => {
    const database = createDatabase(url, { applicationName: 'test', connectionsMax: 1, statementTimeoutMs: 1_000 })
    onTestFinished(database.close)
    return { ...database, url }
  }
  await standby.stop()
  // As a restart leaves it: committed, and on no standby.
  const open = await makeOpenBatch(connect(`${postgres.url}?options=-c synchronous_commit=local`))

  const { readLane } = createOutbox(connect(postgres.url).pool)
  await expect(readLane(open.partition, open.token)).rejects.toThrow('Query read timeout')
  await standby.start()
  const lane = await waitFor(() => readLane(open.partition, open.token), { timeoutMs: 30_000 })
  expect(lane).toMatchObject({ batch: { batchId: open.batch.batchId } })
})
