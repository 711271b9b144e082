import { expect, test, waitFor } from '@streamledger/testkit'
import { makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'
import { startAudit } from './start-audit.ts'
import { outboxIsEmpty, startRelay } from './system.ts'

const PARTITIONS = 2
const EVENTS = 4

test('relay, audit and commands work where Kafka wants TLS, a name and a password; who lacks one is told which', async ({
  startSecuredKafka,
  createDatabase,
  spawnService,
}) => {
  const kafka = await startSecuredKafka()
  const ledger = await makeLedger(await createDatabase(), kafka, PARTITIONS)
  const tls = { KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: kafka.caFile }
  const sasl = (mechanism: string, { username, password }: typeof kafka.plain) => ({
    ...{ KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password },
  })
  Object.assign(ledger.env, { KAFKA_BROKERS: kafka.securedBrokers, KAFKA_TOPIC: ledger.topic.name })

  const refused = (env: Record<string, string>) => runCli(['reconcile', '--json'], { ...ledger.env, ...env })
  for (const [env, message] of [
    [{ KAFKA_TLS: 'true', ...sasl('plain', kafka.plain) }, /certificate/],
    [{ ...tls, ...sasl('plain', { ...kafka.plain, password: 'guessed' }) }, /Authentication failed/],
    [{ ...tls, KAFKA_SASL_MECHANISM: 'plain' }, /KAFKA_SASL_USERNAME .*go together/],
    [{ KAFKA_TLS_CA_FILE: kafka.caFile }, /KAFKA_TLS is not true/],
    [{ ...tls, KAFKA_TLS_CA_FILE: '/no/such/file' }, /KAFKA_TLS_CA_FILE cannot be read/],
  ] as const) {
    const { code, json } = await refused(env)
    expect({ code, json }).toMatchObject({ code: 2, json: { error: { message: expect.stringMatching(message) } } })
  }

  Object.assign(ledger.env, tls, sasl('scram-sha-512', kafka.scram))
  const [wallet] = (await ledger.addWallets(1)) as [number]
  for (let count = 0; count < EVENTS; count += 1) await ledger.post(wallet, 100)
  await startRelay(ledger, spawnService)
  await outboxIsEmpty(ledger)
  expect(await kafka.readAll(ledger.topic.name, { count: EVENTS })).toHaveLength(EVENTS)

  Object.assign(ledger.env, sasl('plain', kafka.plain))
  for (const [command, found] of [
    [['reconcile'], { ok: true, events: EVENTS }],
    [['topic', 'create', '--replication-factor', '1'], { created: false }],
    [['relay', 'resolve', '--all'], { lost: 0, other_kafka: null }],
    [['relay', 'adopt-cluster'], { adopted: false, found: { topicId: expect.any(String) } }],
  ] as const) {
    expect((await runCli([...command, '--json'], ledger.env)).json).toMatchObject(found)
  }
  const audit = await startAudit(ledger.env, ['--since', '1d'])
  await waitFor(async () => expect(await audit.metric('events_total')).toBe(EVENTS))
  await audit.kill()
}, 120_000)
