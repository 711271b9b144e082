import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import { claimInstallation } from '../src/claim-installation.ts'

const claim = { topic: 'transactions', partitions: 3 }

test('the first service makes an empty database its own, with a lane for each partition', async ({
  createDatabase,
}) => {
  const { db, pool } = await createDatabase()
  const installationId = randomUUID()
  const topics = await Promise.all([1, 2, 3].map(() => claimInstallation(pool, { ...claim, installationId })))
  for (const topic of topics) expect(topic).toMatchObject({ name: 'transactions', partitions: 3, paused: false })
  const lanes = await db.selectFrom('relay_partitions').select('partition').orderBy('partition').execute()
  expect(lanes.map(({ partition }) => partition)).toEqual([0, 1, 2])
})

test('the partition count in the configuration counts once: afterwards the database knows', async ({
  createDatabase,
}) => {
  const { pool } = await createDatabase()
  const installationId = randomUUID()
  await claimInstallation(pool, { ...claim, installationId })
  expect(await claimInstallation(pool, { ...claim, installationId, partitions: 9 })).toMatchObject({ partitions: 3 })
})

test('another configuration, another topic, or another Postgres cluster is refused', async ({ createDatabase }) => {
  const { pool } = await createDatabase()
  const installationId = randomUUID()
  await claimInstallation(pool, { ...claim, installationId })
  await expect(claimInstallation(pool, { ...claim, installationId: randomUUID() })).rejects.toMatchObject({
    code: 'installation_differs',
    message: expect.stringContaining(`set INSTALLATION_ID=${installationId}`),
  })
  await expect(claimInstallation(pool, { ...claim, installationId, topic: 'other' })).rejects.toMatchObject({
    code: 'topic_differs',
  })
  await pool.query(`update installation set system_identifier = '1'`)
  await expect(claimInstallation(pool, { ...claim, installationId })).rejects.toMatchObject({
    code: 'installation_differs',
  })
})
