import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from '@streamledger/testkit'
import { readWorkbook } from '../src/demo-workbook.ts'
import { sessionsOf } from '../src/document-pages.ts'
import { isTyped } from '../src/read-blocks.ts'
import { runSession } from './document-session.ts'
import { livingOf, ownStackEnv, runNpm } from './run-npm.ts'

// What a reader of README.md types first, typed.

const AGREES = 'All of it agrees.'

/** Stops as Ctrl-C or a supervisor does, and sees that nothing is left. */
async function expectOrderlyStop(run: ReturnType<typeof runNpm>): Promise<void> {
  const processes = run.processes()
  expect(processes.length).toBeGreaterThan(0)
  run.child.kill('SIGTERM')
  expect(await run.exited).toBe(0)
  expect(livingOf(processes)).toEqual([])
}

test('the README from its first block to its last, on engines of its own, and a SIGTERM to npm stops everything', async () => {
  const [readme] = sessionsOf('tools/local/test/demo.long.ts')
  if (!readme) throw new Error('the README has no session')
  const env = await ownStackEnv()
  const started = 'npm start'
  expect(readme.blocks.find(isTyped)?.text).toBe(started)
  const run = runNpm(['start'], env)
  await run.untilSays('Ctrl-C stops everything.')

  const session = await runSession(readme, { env, started })
  expect(session.outputOf('npm start -- --demo')).toMatch(/Closing balance \| .*3800[\s\S]*All of it agrees\.\n/)
  const answers = session.outputOf('/auth/signup')
  expect(answers).toMatch(/^idempotent-replayed: true\r$/im)
  expect(answers).toContain('"balance":380000')
  const { summary, transactions } = await readWorkbook(join(session.folder, 'history.xlsx'))
  expect(summary).toContainEqual(['Closing balance', undefined, 3800, '380000'])
  expect(transactions.length).toBe(1 + 2)

  await expectOrderlyStop(run)
  expect(run.output).toMatch(/the services have stopped\n.*the engines have stopped\n$/)
}, 480_000)

test('on given engines, it ends in agreement, and starts none', async ({ createDatabase, kafka }) => {
  const { url } = await createDatabase({ empty: true })
  const env = { DATABASE_URL: url, KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: `demo-${randomUUID()}` }
  const run = runNpm(['start', '--', '--demo'], { ...(await ownStackEnv()), ...env })
  await run.untilSays(AGREES)
  expect(run.output).toContain('PostgreSQL answers at DATABASE_URL')
  expect(run.output).toContain('Kafka answers at KAFKA_BROKERS')
  await expectOrderlyStop(run)
}, 300_000)

test('without Java, it says that events wait, and ends in agreement', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const env = { DATABASE_URL: url, JAVA_HOME: '/nonexistent' }
  const run = runNpm(['start', '--', '--demo'], { ...(await ownStackEnv()), ...env })
  await run.untilSays(AGREES)
  expect(run.output).toContain('There is no Kafka: they wait in the outbox.')
  await expectOrderlyStop(run)
}, 300_000)

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
}, 300_000)
