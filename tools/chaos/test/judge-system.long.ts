import { randomUUID } from 'node:crypto'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  afterEach,
  expect,
  type ServiceProcess,
  type TestDatabase,
  type TopicRecord,
  test,
  waitFor,
} from '@streamledger/testkit'
import { Kafka, logLevel } from 'kafkajs'
import type { Answer } from '../src/load/answer.ts'
import { AnswerFile } from '../src/load/answer-file.ts'
import { Load } from '../src/load/load.ts'
import { signUp, type User } from '../src/load/sign-up.ts'
import { askAgain } from '../src/verdict/ask-again.ts'
import { checkFiles } from '../src/verdict/check-files.ts'
import { comeToRest } from '../src/verdict/come-to-rest.ts'
import { Findings, type VerdictKind } from '../src/verdict/findings.ts'
import { judgeSystem } from '../src/verdict/judge-system.ts'

// Shows that the verdict finds faults: a real system is damaged by hand, and each damage must be found.

const dir = mkdtempSync(join(tmpdir(), 'chaos-verdict-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const answerFile = join(dir, 'answers-1.ndjson')
const readFileAnswers = (): Answer[] =>
  readFileSync(answerFile, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const writeFileAnswers = (answers: readonly Answer[]): void =>
  writeFileSync(answerFile, answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''))

interface Loading {
  api: ServiceProcess
  users: readonly User[]
  postings: number
}

/** Posts this many orders. Returns recent answers and their number. */
async function post({ api, users, postings }: Loading): Promise<Load> {
  const answers = new AnswerFile(answerFile)
  const wrong: string[] = []
  const apiUrls = () => [{ name: 'api-1', url: api.url }]
  const load = new Load({ apiUrls, users, rate: 1_000, answers, onWrong: (line) => wrong.push(line) })
  await waitFor(() => load.counts.answered >= postings, { timeoutMs: 30_000 })
  await load.stop()
  await answers.close()
  expect(wrong).toEqual([])
  return load
}

/** Runs a statement with triggers and foreign keys off. */
async function damage({ pool }: TestDatabase, statement: string): Promise<number | null> {
  const client = await pool.connect()
  try {
    await client.query('set session_replication_role = replica')
    return (await client.query(statement)).rowCount
  } finally {
    await client.query('reset session_replication_role')
    client.release()
  }
}

/** Publishes an event of the topic's once more, as a broken relay would. */
async function publishAgain(brokers: string, topic: string, record: TopicRecord | undefined): Promise<void> {
  const producer = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  await producer.send({ topic, messages: [record as NonNullable<typeof record>] })
  await producer.disconnect()
}

test('a sound system passes, and every damage that is done to it is found', { timeout: 180_000 }, async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const topic = `test-${randomUUID()}` // the relay makes it as it wants it
  const env = {
    ...{ DATABASE_URL: database.url, KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: topic, TOPIC_PARTITIONS: '2' },
    ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: randomUUID(), EXPORT_DIR: dir, RELAY_LEASE_MS: '1000' },
  }
  const api = await spawnService('services/api/src/main.ts', env)
  let relay = await spawnService('services/relay/src/main.ts', env)
  await Promise.all([api.ready(), relay.ready()])
  const users = await signUp(api.url, 5)
  const load = await post({ api, users, postings: 200 })
  let { answered } = load.counts

  const judge = async (): Promise<Partial<Record<VerdictKind, number>>> => {
    await comeToRest(database.pool)
    const findings = new Findings()
    const wallets = users.map(({ wallet_id }) => wallet_id)
    const system = { pool: database.pool, databaseUrl: database.url, brokers: kafka.brokers }
    const judged = await judgeSystem({ ...system, answerFiles: [answerFile], wallets, answered }, findings)
    expect(judged.answers).toBe(answered)
    return Object.fromEntries(Object.entries(findings.counts).filter(([, count]) => count > 0))
  }
  expect(await judge()).toEqual({})

  // An outbox row that is gone before its time: an event is lost.
  relay.signal('SIGTERM')
  await relay.exited
  answered += (await post({ api, users, postings: 50 })).counts.answered
  expect(await damage(database, 'delete from outbox where id = (select min(id) from outbox)')).toBe(1)
  relay = await spawnService('services/relay/src/main.ts', env)
  await relay.ready()
  expect(await judge()).toEqual({ lost: 1, miscounted: 1 })

  // The same event twice.
  await publishAgain(kafka.brokers, topic, (await kafka.readAll(topic)).at(-1))
  expect(await judge()).toEqual({ lost: 1, doubled: 1 })

  // Answers to clients: one differs from the ledger, one is of an unknown transaction.
  const answers = readFileAnswers()
  const accepted = answers.findIndex(({ status }) => status === 201)
  const altered = { ...(answers[accepted] as Answer) }
  writeFileAnswers(
    answers.with(accepted, { ...altered, body: altered.body.replace(/"balance":\d+/, '"balance":7777777') }),
  )
  expect(await judge()).toEqual({ lost: 1, doubled: 1, differing: 1 })
  writeFileAnswers(answers.with(accepted, { ...altered, trans_id: randomUUID() }))
  expect(await judge()).toEqual({ lost: 1, doubled: 1, gone: 1 })
  const refused = answers.findIndex(({ status }) => status === 422)
  writeFileAnswers(answers.with(refused, { ...(answers[refused] as Answer), amount: 1 }))
  expect(await judge()).toEqual({ lost: 1, doubled: 1, differing: 1 })
  // A last line that was cut off when a run was killed does not count.
  writeFileAnswers(answers)
  appendFileSync(answerFile, '{"wallet_id":1,"trans')
  expect(await judge()).toEqual({ lost: 1, doubled: 1 })

  // More in the ledger than was answered.
  answered -= 1
  writeFileAnswers(answers.slice(1))
  expect(await judge()).toEqual({ lost: 1, doubled: 1, unasked: 1 })
  answered += 1
  writeFileAnswers(answers)

  // An answer that changes when it is asked for again.
  const findings = new Findings()
  const apiUrls = () => [{ name: 'api-1', url: api.url }]
  await askAgain({ apiUrls, remembered: load.remembered.slice(0, 20), findings })
  expect(findings.total).toBe(0)
  const [one] = load.remembered
  if (!one) throw new Error('nothing is remembered')
  await askAgain({ apiUrls, remembered: [{ ...one, answer: { ...one.answer, body: '{}' } }], findings })
  expect(findings.counts.wrong_answers).toBe(1)

  // A partition that is halted, an export that never ends, one that has failed, and a file that is none.
  relay.signal('SIGKILL')
  await relay.exited
  await damage(database, `update relay_partitions set halted_at = now(), halted_reason = 'by hand' where partition = 0`)
  const wallet = users[0]?.wallet_id
  await damage(
    database,
    `insert into exports (wallet_id, status, as_of_sequence, error) values (${wallet}, 'failed', 1, 'by_hand')`,
  )
  await damage(
    database,
    `insert into exports (wallet_id, status, as_of_sequence, rows_done, rows_total, file, size, sha256, finished_at, expires_at)
     values (${wallet}, 'succeeded', 1, 1, 1, 'nothing.xlsx', 1, 'x', now(), now() + interval '1 day')`,
  )
  expect(await judge()).toEqual({ lost: 1, doubled: 1, halted: 1, exports_failed: 1 })
  expect(await checkFiles(database.pool, dir, findings)).toBe(1)
  expect(findings.counts.files_wrong).toBe(1)
  await damage(database, `update wallets set balance = balance + 1 where id = ${wallet}`)
  expect(await judge()).toMatchObject({ unsound: 1 })
})
