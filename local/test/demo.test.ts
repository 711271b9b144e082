import { randomUUID } from 'node:crypto'
import { expect, test } from '@streamledger/testkit'
import { livingOf, ownStackEnv, runNpm } from './run-npm.ts'

// `npm start -- --demo` is the first command that a reader of the README types: here it is typed.

const AGREES = 'All of it agrees.'

/** Stops as Ctrl-C or a supervisor does, and sees that nothing is left. */
async function expectOrderlyStop(run: ReturnType<typeof runNpm>): Promise<void> {
  const processes = run.processes()
  expect(processes.length).toBeGreaterThan(0)
  run.child.kill('SIGTERM')
  expect(await run.exited).toBe(0)
  expect(livingOf(processes)).toEqual([])
}

test('on engines of its own, it ends in agreement, and a SIGTERM to npm stops everything', async () => {
  const run = runNpm(['start', '--', '--demo'], await ownStackEnv())
  await run.untilSays(AGREES)
  expect(run.output).toMatch(/partition \d+, offset \d+: .*"trans_id":"salary-/)
  expect(run.output).toMatch(/Closing balance \| .*3800/)
  await expectOrderlyStop(run)
  expect(run.output).toMatch(/the services have stopped\n.*the engines have stopped\n$/)
}, 180_000)

test('on given engines, it ends in agreement, and starts none', async ({ createDatabase, kafka }) => {
  const { url } = await createDatabase({ empty: true })
  const env = { DATABASE_URL: url, KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: `demo-${randomUUID()}` }
  const run = runNpm(['start', '--', '--demo'], { ...(await ownStackEnv()), ...env })
  await run.untilSays(AGREES)
  expect(run.output).toContain('PostgreSQL answers at DATABASE_URL')
  expect(run.output).toContain('Kafka answers at KAFKA_BROKERS')
  await expectOrderlyStop(run)
}, 180_000)

test('without Java, it says that events wait, and ends in agreement', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const env = { DATABASE_URL: url, JAVA_HOME: '/nonexistent' }
  const run = runNpm(['start', '--', '--demo'], { ...(await ownStackEnv()), ...env })
  await run.untilSays(AGREES)
  expect(run.output).toContain('There is no Kafka: they wait in the outbox.')
  await expectOrderlyStop(run)
}, 180_000)

test('a demo that fails shows both values, stops the stack, says why in its last line and exits 1', async ({
  createDatabase,
}) => {
  const database = await createDatabase()
  // The history changes between the answers and the file.
  await database.pool.query(`
    alter table transactions disable trigger transactions_append_only;
    create function change_history() returns trigger language plpgsql as $$
      begin update public.transactions set trans_id = 'changed' || id; return new; end $$;
    create trigger change_history before insert on exports for each row execute function change_history()`)
  const env = { DATABASE_URL: database.url, JAVA_HOME: '/nonexistent' }
  const run = runNpm(['start', '--', '--demo'], { ...(await ownStackEnv()), ...env })
  expect(await run.exited).toBe(1)
  expect(run.output).not.toContain(AGREES)
  expect(run.output).toMatch(/\nexpected: \[[\s\S]*'salary-[\s\S]*\nfound: \[[\s\S]*'changed1'[\s\S]*'changed2'/)
  expect(run.output).toContain('the services have stopped')
  const [last] = run.output.trimEnd().split('\n').slice(-1)
  expect(last).toMatch(/ The demo failed: the rows are not the transactions, in their order$/)
}, 180_000)
