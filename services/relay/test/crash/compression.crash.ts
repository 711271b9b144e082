import { settingsOf } from '@streamledger/kafka'
import { test } from '@streamledger/testkit'
import { openCell, PARTITIONS, waitUntilStruck } from './cell.ts'
import { withAdmin } from './receipt-group.ts'

// Recovery reads back records that the broker has compressed, also after the topic's setting has changed.

const BATCH_BYTES_MAX = 1_048_576

test.concurrent.for(['gzip', 'snappy', 'lz4', 'zstd'])(
  'a relay is killed with a batch open in a topic whose compression.type is %s, before and after its commit',
  async (type, { createDatabase, kafka, spawnService }) => {
    const cell = await openCell({ createDatabase, kafka, spawnService })
    const { topic } = cell.installation
    const wanted = { topic, partitions: PARTITIONS, replicationFactor: 1, batchBytesMax: BATCH_BYTES_MAX }
    const settings = Object.fromEntries(settingsOf(wanted))
    const topics = [{ topic, numPartitions: PARTITIONS }]
    await withAdmin(kafka.brokers, (admin) => admin.createTopics({ topics }))
    await kafka.configure(topic, { ...settings, 'compression.type': type })
    let relay = await cell.start()
    for (const [point, next] of [
      ['before', type],
      ['after', 'producer'],
    ] as const) {
      await cell.isSteady(1)
      const fault = cell.arm({ step: 'commit', nth: 1, point, signal: 'SIGKILL' })
      await cell.insert()
      await waitUntilStruck(fault, [relay])
      await kafka.configure(topic, { ...settings, 'compression.type': next })
      relay = await cell.start()
      await cell.insert()
      await cell.isDrained()
      await cell.isOnceAndInOrder()
    }
    cell.close()
  },
)
