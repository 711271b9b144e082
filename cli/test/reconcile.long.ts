import { expect, test, waitFor } from '@streamledger/testkit'
import { keepPosting, type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'

const reconcile = (ledger: Ledger, ...args: string[]) => runCli(['reconcile', '--json', ...args], ledger.env)
const NONE = { missing: 0, doubled: 0, foreign: 0, mismatched: 0, out_of_order: 0 }

test('a system that posts and publishes shows no fault, and all is there in the end', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const ledger = await makeLedger(await createDatabase(), kafka, 4)
  const wallets = await ledger.addWallets(30)
  const relay = await spawnService('services/relay/src/main.ts', {
    ...ledger.env,
    ...{ KAFKA_TOPIC: ledger.topic.name, INSTALLATION_ID: ledger.installationId, RELAY_BATCH_BYTES_MAX: '500000' },
  })
  await relay.ready()
  const posting = keepPosting(ledger, wallets)
  const seen: number[] = []
  for (let round = 1; round <= 6; round += 1) {
    const since = round % 2 === 0 ? ['--since', '1h'] : []
    const { json, code } = await reconcile(ledger, ...since)
    expect({ code, faults: json.faults, examples: json.examples }).toEqual({ code: 0, faults: NONE, examples: [] })
    seen.push(json.events)
  }
  const posted = await posting.stop()
  expect(seen.at(-1)).toBeGreaterThan(seen[0] as number)
  await waitFor(async () => (await ledger.pool.query('select from outbox')).rowCount === 0, { timeoutMs: 20_000 })
  expect((await reconcile(ledger)).json).toMatchObject({ ok: true, events: posted, waiting: 0 })
}, 120_000)
