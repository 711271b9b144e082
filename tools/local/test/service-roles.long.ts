import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPool } from '@streamledger/db'
import {
  divideRoles,
  expect,
  type RoleUrls,
  type ServiceProcess,
  signUp,
  type TopicRecord,
  test,
  waitFor,
} from '@streamledger/testkit'
import { playStory } from './play-story.ts'

// The whole path on a role for each service, in a database in which nothing is left to PUBLIC.

const SERVICES = ['api', 'relay', 'exporter'] as const
/** Of a machine that has other work, too. */
const PATIENT = { timeoutMs: 60_000 }
interface Ordered {
  export_id: string
}
const CLI = 'cli/src/main.ts'

/** The same database at another address. */
function at(urls: RoleUrls, place: string): RoleUrls {
  const { port } = new URL(place)
  const moved = Object.entries(urls).map(([name, text]) => {
    const url = new URL(text)
    url.port = port
    return [name, url.href]
  })
  return Object.fromEntries(moved)
}

async function ask(url: string, statement: string): Promise<unknown[]> {
  const pool = createPool(url, { applicationName: 'test', connectionsMax: 1, statementTimeoutMs: 10_000 })
  return pool
    .query(statement)
    .then(({ rows }) => rows)
    .finally(() => pool.end())
}

test('the story, the checks, a restart of Postgres and a fail-over go well on a role for each service', async ({
  startPostgres,
  kafka,
  spawnService,
  onTestFinished,
}) => {
  const postgres = await startPostgres()
  const urls = await divideRoles(postgres.url)
  const exports = await mkdtemp(join(tmpdir(), 'roles-'))
  onTestFinished(() => rm(exports, { recursive: true, force: true }))
  const topic = `roles-${randomUUID()}`
  const env = {
    ...{ KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: topic, EXPORT_DIR: exports },
    ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: randomUUID(), RELAY_LEASE_MS: '1000' },
  }
  const startAll = async (of: RoleUrls): Promise<ServiceProcess[]> => {
    const services = await Promise.all(
      SERVICES.map((name) => spawnService(`services/${name}/src/main.ts`, { ...env, DATABASE_URL: of[name] })),
    )
    await Promise.all(services.map((service) => service.ready()))
    return services
  }
  const stopAll = async (services: readonly ServiceProcess[]): Promise<void> => {
    for (const service of services) service.signal('SIGTERM')
    for (const service of services) expect(await service.exited, service.logs).toEqual({ code: 0, signal: null })
  }
  const readTopic = (isEnough?: (records: readonly TopicRecord[]) => boolean) =>
    kafka.readAll(topic, isEnough ? { isEnough } : {})
  const originOf = ([api]: readonly ServiceProcess[]): string => api?.url ?? ''
  /** One of each: a sign-up, a posting, its event and an export. */
  const playBriefly = async (services: readonly ServiceProcess[]): Promise<void> => {
    const person = await waitFor(() => signUp(originOf(services)), PATIENT)
    const { transaction_id } = (await (await person.credit(100)).json()) as { transaction_id: number }
    const { export_id } = (await (await person.ask('/transactions/export', { method: 'POST' })).json()) as Ordered
    await waitFor(async () => {
      const answer = await person.ask(`/transactions/exports/${export_id}`)
      expect(await answer.json()).toMatchObject({ status: 'succeeded', rows_done: 1 })
    }, PATIENT)
    await readTopic((records) => records.some(({ headers }) => headers.ce_id === String(transaction_id)))
  }
  const check = async (of: RoleUrls): Promise<void> => {
    for (const command of [['verify'], ['reconcile'], ['outbox', 'status']]) {
      const cli = await spawnService(CLI, { ...env, DATABASE_URL: of.audit }, command)
      expect(await cli.exited, cli.logs).toEqual({ code: 0, signal: null })
    }
  }
  const denied = (services: readonly ServiceProcess[]) =>
    services.flatMap(({ logs }) =>
      logs.split('\n').filter((line) => /permission denied|row-level|may do more/.test(line)),
    )

  const first = await startAll(urls)
  const audit = await spawnService(CLI, { ...env, DATABASE_URL: urls.audit }, ['audit'])
  await audit.ready()
  await playStory({ origin: originOf(first), readTopic })
  await check(urls)

  await postgres.kill()
  await postgres.start()
  await playBriefly(first)
  expect(audit.logs).not.toContain('permission denied')
  audit.signal('SIGTERM')
  await audit.exited

  // A standby takes over: another timeline, for which sign-ups and postings raise the ids.
  await stopAll(first)
  const standby = await postgres.addStandby()
  const second = await startAll(urls)
  await playBriefly(second)
  await stopAll(second)
  await standby.promote()
  const moved = at(urls, standby.url)
  await waitFor(async () => expect(await ask(moved.owner, 'select pg_is_in_recovery() as is')).toEqual([{ is: false }]))
  await postgres.kill()
  const third = await startAll(moved)
  await playBriefly(third)
  await check(moved)
  expect(await ask(moved.owner, 'select timeline::int, max(t.id) > 100000000000 as raised from installation, transactions t group by timeline')).toEqual([{ timeline: 2, raised: true }]) // biome-ignore format: one claim
  await stopAll(third)
  expect(denied([...first, ...second, ...third])).toEqual([])
}, 300_000)

test('one role for everything goes on working, and each service warns about it once', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { url } = await createDatabase({ empty: true })
  const exports = await mkdtemp(join(tmpdir(), 'roles-'))
  const env = {
    ...{ KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: `roles-${randomUUID()}`, EXPORT_DIR: exports },
    ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: randomUUID(), DATABASE_URL: url },
  }
  const services = await Promise.all(SERVICES.map((name) => spawnService(`services/${name}/src/main.ts`, env)))
  await Promise.all(services.map((service) => service.ready()))
  // Log lines are written twice a second.
  for (const service of services) {
    await waitFor(() => expect(service.logs.match(/may do more than it needs/g)).toHaveLength(1))
  }
  await rm(exports, { recursive: true })
})
