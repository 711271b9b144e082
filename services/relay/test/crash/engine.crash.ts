import { migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { type OwnPostgres, type ServiceProcess, test } from '@streamledger/testkit'
import { type Cell, type CellParts, openCell, waitUntilStruck } from './cell.ts'
import type { Point } from './fault.ts'
import { isFirstStep, isLastStep, type NamedStep, POINTS, STEPS, WORDS } from './steps.ts'

// Kafka or Postgres is killed while a relay is at one of its steps, and started again. One such kill is a cell for each
// step: a relay with an installation of its own stands still at each of them.

const TIMEOUT_MS = 480_000

interface Engine {
  kill(): Promise<void>
  start(): Promise<void>
}

interface Stand {
  cell: Cell
  step: NamedStep
  relay: ServiceProcess | undefined
}

test(
  'Kafka is killed around each step of a relay',
  async ({ createDatabase, startKafka, spawnService }) => {
    const kafka = await startKafka()
    await killAround({ createDatabase, kafka, spawnService }, kafka)
  },
  TIMEOUT_MS,
)

test(
  'Postgres is killed around each step of a relay',
  async ({ startPostgres, kafka, spawnService, onTestFinished }) => {
    const postgres = await startPostgres()
    const { create, close } = await createDatabases(postgres)
    onTestFinished(close)
    await killAround({ createDatabase: create, kafka, spawnService }, postgres)
  },
  TIMEOUT_MS,
)

async function killAround(parts: CellParts, engine: Engine): Promise<void> {
  const stands: Stand[] = []
  for (const step of STEPS) {
    const cell = await openCell(parts, 1)
    // One after the other: ten programs that start at once are slow for minutes.
    const relay = isFirstStep(step) ? undefined : await cell.start()
    await relay?.ready(TIMEOUT_MS)
    stands.push({ cell, step, relay })
  }
  for (const point of POINTS) {
    await Promise.all(stands.map((stand) => standStill(stand, point)))
    await engine.kill()
    for (const { relay } of stands) relay?.signal('SIGCONT')
    await engine.start()
    await Promise.all(
      stands.map((stand) =>
        goOn(stand).catch((cause) => {
          throw new Error(`${WORDS[point]} ${stand.step.title}: ${cause.message}`, { cause })
        }),
      ),
    )
  }
  for (const { cell } of stands) cell.close()
}

/** Lets a relay come to the step, and stand still there. */
async function standStill(stand: Stand, point: Point): Promise<void> {
  const { cell, step } = stand
  const { title: _, ...strike } = step
  const arm = () => cell.arm({ ...strike, point, signal: 'SIGSTOP' })
  let fault = isFirstStep(step) ? arm() : undefined
  const relay = stand.relay ?? (await cell.start())
  stand.relay = relay
  if (!fault) {
    await cell.isSteady(1)
    fault = arm()
  }
  await cell.insert()
  await waitUntilStruck(fault, [relay])
}

async function goOn(stand: Stand): Promise<void> {
  const { cell, step, relay } = stand
  if (isLastStep(step)) {
    await relay?.exited // it has been asked to stop
    stand.relay = await cell.start()
  }
  await cell.insert()
  await cell.isDrained()
  await cell.isOnceAndInOrder()
  if (!isFirstStep(step)) return
  relay?.signal('SIGKILL')
  await relay?.exited
  stand.relay = undefined
}

const CONNECTION = { applicationName: 'test', connectionsMax: 5, statementTimeoutMs: 30_000, connectTimeoutMs: 30_000 }

/** Databases of a server that has none, each with all migrations. */
async function createDatabases(postgres: OwnPostgres) {
  const closing: (() => Promise<void>)[] = []
  const open = (name: string) => {
    const url = new URL(postgres.url)
    url.pathname = name
    const database = createDatabase(url.href, CONNECTION)
    closing.push(database.close)
    return { ...database, url: url.href }
  }
  const server = open('postgres')
  await server.pool.query('create database template')
  await migrate(open('template').url)
  let cells = 0
  const create = async () => {
    const name = `cell_${++cells}`
    await server.pool.query(`create database ${name} template template`)
    return open(name)
  }
  return { create, close: async () => void (await Promise.all(closing.map((close) => close()))) }
}
