import { createDatabase } from '@streamledger/db/database'
import { expect, test } from '@streamledger/testkit'
import type { QueryConfig } from 'pg'
import { PostingQueue } from '../../src/ledger/posting-queue.ts'
import { claimTopic } from '../claim-topic.ts'
import { credit, ledgerOf, makeUsers } from './wallets.ts'

const OPTIONS = { batchesMax: 2, batchRowsMax: 100, waitingMax: 1_000, timeoutMs: 20_000 }
const CLIENTS = 16
const POSTINGS = 200
/** Mean tries per posting: 1.4 to 1.5 with turns; 2.0 to 2.4 without, as every other batch finds its wallet changed. */
const TRIES_MAX = 1.8

test('two replicas that post to one wallet take turns, and hardly ever try in vain', async ({
  database: { db, url, pool: own },
}) => {
  await claimTopic(own)
  const [user_id] = (await makeUsers(own, 1)) as [number]
  const open = () => createDatabase(url, { applicationName: 'test', connectionsMax: 4, statementTimeoutMs: 10_000 })
  const databases = [open(), open()]
  let tries = 0
  const replicas = databases.map(({ pool }) => {
    const query = pool.query.bind(pool)
    const counting = (config: QueryConfig<unknown[]>) => {
      if (config.name?.startsWith('write-ledger')) tries += config.values?.[ENTRIES] as number
      return query(config)
    }
    return new PostingQueue(Object.assign(Object.create(pool), { query: counting }), OPTIONS)
  })
  const clients = replicas.flatMap((posting) =>
    Array.from({ length: CLIENTS }, async () => {
      for (let posted = 0; posted < POSTINGS; posted += 1) await posting.post(credit(user_id, 1))
    }),
  )
  await Promise.all(clients)
  const count = clients.length * POSTINGS
  expect(await ledgerOf(db, user_id)).toMatchObject({ balance: count, transactions: count, events: count })
  expect(tries / count).toBeLessThan(TRIES_MAX)
  await Promise.all(replicas.map((posting) => posting.close()))
  await Promise.all(databases.map(({ close }) => close()))
})

/** The index of the parameter that holds the number of entries. */
const ENTRIES = 9
