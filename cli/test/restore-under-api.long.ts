import { migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { expect, type Person, type ServiceProcess, signUp, test, waitFor } from '@streamledger/testkit'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'
import { outboxIsEmpty, startApi, startRelay } from './system.ts'

const PARTITIONS = 2
const CLIENTS = 4
/** Of a machine that has other work, too. */
const PATIENT = { timeoutMs: 60_000 }

/** Of an answer or an event, what must be the same wherever the transaction is found. */
interface Posted {
  transaction_id: number
  wallet_id: number
  trans_id: string
  sequence: number
  balance: number
}

const pick = ({ transaction_id, wallet_id, trans_id, sequence, balance }: Posted): Posted =>
  ({ transaction_id, wallet_id, trans_id, sequence, balance }) // biome-ignore format: one line

/** Posts one transaction after the other until stopped, each until it is accepted. */
function keepPosting(person: Person, name: string) {
  const accepted: Posted[] = []
  const refused = new Set<number>()
  let running = true
  const ended = (async () => {
    while (running) {
      const answer = await person.credit(100, `${name}-${accepted.length}`).catch(() => undefined)
      if (answer?.status === 201) accepted.push(pick((await answer.json()) as Posted))
      else refused.add(answer?.status ?? 0)
    }
  })()
  return {
    accepted,
    refused,
    stop: () => {
      running = false
      return ended
    },
  }
}

type Poster = ReturnType<typeof keepPosting>

/** Each poster has so many more accepted. */
async function goOn(posters: readonly Poster[], count: number): Promise<void> {
  const goals = posters.map(({ accepted }) => accepted.length + count)
  await waitFor(() => posters.every(({ accepted }, index) => accepted.length >= (goals[index] as number)), PATIENT)
}

const stopAll = (posters: readonly Poster[]): Promise<unknown> => Promise.all(posters.map((poster) => poster.stop()))

async function signUpAll(api: ServiceProcess): Promise<Person[]> {
  const people: Person[] = []
  for (let index = 0; index < CLIENTS; index += 1) people.push(await signUp(api.url))
  return people
}

/** What is known of a trans_id: in the ledger, and as the event of a transaction that is lost. */
async function readFates({ pool }: Ledger): Promise<Posted[]> {
  const { rows } = await pool.query<{ posted: Posted }>(
    `select json_build_object('transaction_id', id, 'wallet_id', wallet_id, 'trans_id', trans_id,
                              'sequence', sequence, 'balance', balance) as posted from transactions
     union all
     select payload::json from orphaned_events`,
  )
  return rows.map(({ posted }) => pick(posted))
}

test('a database that is restored under a running API is brought up to its topic, and what was answered is kept or recorded', async ({
  startPostgres,
  kafka,
  spawnService,
}) => {
  const postgres = await startPostgres()
  await migrate(postgres.url)
  const options = { applicationName: 'test', connectionsMax: 5, statementTimeoutMs: 30_000 }
  const database = createDatabase(postgres.url, options)
  const ledger = await makeLedger({ ...database, url: postgres.url }, kafka, PARTITIONS)
  await startRelay(ledger, spawnService)
  const api = await startApi(ledger, spawnService)
  const people = await signUpAll(api)

  const before = people.map((person, index) => keepPosting(person, `before-${index}`))
  await goOn(before, 20)
  await postgres.backUp()
  await goOn(before, 20)
  await stopAll(before)
  await outboxIsEmpty(ledger)
  const during = people.map((person, index) => keepPosting(person, `during-${index}`))
  await goOn(during, 5)
  await postgres.restore()
  await goOn(during, 20)
  const { code, stdout, stderr } = await runCli(
    ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', 'a test', '--yes', '--json'],
    ledger.env,
  )
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
  await goOn(during, 20)
  await stopAll(during)
  await outboxIsEmpty(ledger)

  const fates = new Set((await readFates(ledger)).map((posted) => JSON.stringify(posted)))
  const answered = before.flatMap(({ accepted }) => accepted).map((posted) => JSON.stringify(posted))
  expect(answered.filter((posted) => !fates.has(posted))).toEqual([])
  const refused = [...before, ...during].flatMap((poster) => [...poster.refused])
  expect(new Set(refused)).toEqual(new Set([503]))
  for (const check of ['verify', 'reconcile']) {
    const { json, stdout: found } = await runCli([check, '--json'], ledger.env)
    expect(json, found).toMatchObject({ ok: true })
  }
  await database.close()
}, 240_000)
