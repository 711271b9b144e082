import { createCeiling } from '../ceiling/ceiling-schema.ts'
import type { Statement } from '../ceiling/ceiling-statements.ts'
import { measureCeiling } from '../ceiling/measure-ceiling.ts'
import { seedUsers } from '../ledger/seed-users.ts'
import { describeFaults, verifyLedger } from '../ledger/verify-ledger.ts'
import { addLoads, createLoad, type LoadMeasurement } from '../load/measure-load.ts'
import { type PostMix, postWorkload } from '../load/post-workload.ts'
import { spreadOf } from '../measure/statistics.ts'
import { type Engines, openEngines } from '../stack/open-engines.ts'
import { type Installation, openInstallation } from '../stack/open-installation.ts'
import type { BenchDeps, Measurement, Suite } from '../suite.ts'

interface Scenario extends PostMix {
  readonly name: string
  readonly connections: number
  /** Open loop. */
  readonly rate?: number
  /** Number of API processes that share the connections; default: one. */
  readonly replicas?: number
}

const USERS = 1_000
const CEILING_CLIENTS = 64
/**
 * Share of the best closed loop's rate: below the API's capacity, so that the latency is the API's and not the queue's.
 */
const OPEN_LOOP_SHARE = 0.7
/** Every fifth request. */
const FIFTH = 5
/** Allowed difference between a fifth and the measured share of replays. */
const FIFTH_TOLERANCE = 0.03

const uniform = (connections: number): Scenario => ({
  ...{ name: `uniform, ${connections}`, connections },
  choice: 'uniform',
})

/**
 * POST /transactions. Each ceiling runs right before its measurements: the speed of a machine changes within minutes.
 */
export const runPost: Suite = async (deps, report) => {
  await using engines = await openEngines(deps, { kafka: false })
  const ceiling = async (name: string, statement: Statement, clients: number) =>
    report(await measureStatement(deps, engines, { name, statement, clients }))
  const closed = async (scenario: Scenario): Promise<number> => {
    const measurement = await measureScenario(deps, engines, scenario)
    report(measurement)
    return measurement.figures.find(({ name }) => name === 'rate')?.median ?? 0
  }
  await ceiling('bare commit, 1', 'commit', 1)
  await closed(uniform(1))
  await closed(uniform(16))
  await ceiling(`ceiling A, ${CEILING_CLIENTS}`, 'post-uniform', CEILING_CLIENTS)
  const rates = [await closed(uniform(64)), await closed(uniform(256))]
  await closed({ name: 'zipf, 64', connections: 64, choice: 'zipf' })
  await ceiling(`ceiling A hot, ${CEILING_CLIENTS}`, 'post-hot', CEILING_CLIENTS)
  const hot: Scenario = { name: 'hot wallet, 64', connections: 64, choice: 'hot' }
  const replicas: Scenario = { ...hot, name: 'hot wallet, 2 replicas', replicas: 2 }
  for (const measurement of await measureInTurn(deps, engines, [hot, replicas])) report(measurement)
  await closed({ name: '20% replays, 64', connections: 64, choice: 'uniform', replayEvery: FIFTH })
  await closed({ name: '20% refusals, 64', connections: 64, choice: 'uniform', refuseEvery: FIFTH })
  const rate = Math.round(Math.max(...rates) * OPEN_LOOP_SHARE)
  if (rate > 0)
    await closed({ name: `open loop at ${OPEN_LOOP_SHARE * 100}%`, connections: 0, choice: 'uniform', rate })
}

async function measureStatement(
  deps: BenchDeps,
  engines: Engines,
  { name, statement, clients }: { name: string; statement: Statement; clients: number },
): Promise<Measurement> {
  await using installation = await openInstallation(deps, engines)
  const { pool, databaseUrl } = installation
  await createCeiling(pool)
  await pool.query('checkpoint')
  const { warmUpS, runS, repeats } = deps.pace
  await measureCeiling(deps, { databaseUrl, statement, clients, seconds: warmUpS })
  const results = []
  for (let number = 1; number <= repeats; number += 1) {
    const result = await measureCeiling(deps, { databaseUrl, statement, clients, seconds: runS })
    results.push(result)
    deps.screen.progress(`${name}: run ${number} of ${repeats}, ${Math.round(result.rate).toLocaleString('en')}/s`)
  }
  const figures = [
    { name: 'rate', unit: '/s', ...spreadOf(results.map((result) => result.rate)) },
    ...(clients === 1
      ? [{ name: 'p50', unit: 'ms', ...spreadOf(results.map(({ p50_ms }) => p50_ms ?? Number.NaN)) }]
      : []),
  ]
  const notes = [deps.pgbench === undefined ? 'pg driver' : 'pgbench']
  return { suite: 'post', name, figures, usage: [], notes, failures: [] }
}

/** Measures one scenario with a new ledger and a new API, and verifies the ledger at its end. */
async function measureScenario(deps: BenchDeps, engines: Engines, scenario: Scenario): Promise<Measurement> {
  const [measurement] = await measureInTurn(deps, engines, [scenario])
  return measurement as Measurement
}

/** Alternates the runs of the scenarios, because scenarios that are compared must not be measured minutes apart. */
async function measureInTurn(
  deps: BenchDeps,
  engines: Engines,
  scenarios: readonly Scenario[],
): Promise<Measurement[]> {
  await using installations = new AsyncDisposableStack()
  const prepared: PreparedScenario[] = []
  for (const scenario of scenarios) {
    const installation = installations.use(await openInstallation(deps, engines))
    prepared.push(await prepareScenario(deps, installation, scenario))
  }
  for (const { loads } of prepared) await Promise.all(loads.map((load) => load.warmUp()))
  for (let number = 1; number <= deps.pace.repeats; number += 1) {
    for (const { loads } of prepared) await Promise.all(loads.map((load) => load.run()))
  }
  const measurements: Measurement[] = []
  for (const one of prepared) measurements.push(await concludeScenario(one))
  return measurements
}

interface PreparedScenario {
  readonly scenario: Scenario
  readonly installation: Installation
  /** One per replica, run at the same time. */
  readonly loads: readonly ReturnType<typeof createLoad>[]
}

async function prepareScenario(
  deps: BenchDeps,
  installation: Installation,
  scenario: Scenario,
): Promise<PreparedScenario> {
  const users = await seedUsers(installation, USERS)
  const { name, connections, rate, replicas = 1 } = scenario
  const apis = []
  for (let number = 0; number < replicas; number += 1) apis.push(await installation.start('api'))
  await installation.pool.query('checkpoint')
  const loads = apis.map(({ url }) =>
    createLoad(deps, {
      ...{ name, url, connections: connections / replicas, watched: installation.watched() },
      ...(rate === undefined ? {} : { rate }),
      workload: postWorkload(installation, users, scenario),
    }),
  )
  return { scenario, installation, loads }
}

async function concludeScenario({ scenario, installation, loads }: PreparedScenario): Promise<Measurement> {
  const measured = addLoads(loads.map((load) => load.measured()))
  const { figures, usage } = measured
  const ledger = await checkLedger(installation, measured, scenario)
  const failures = [...installation.failures(), ...measured.failures, ...ledger.failures]
  const notes = scenario.rate === undefined ? ledger.notes : [`${scenario.rate}/s sent`, ...ledger.notes]
  return { suite: 'post', name: scenario.name, figures, usage, notes, failures }
}

async function checkLedger({ pool }: Installation, measured: LoadMeasurement, scenario: Scenario) {
  const { transactions, refusals, faults } = await verifyLedger(pool)
  const failures = describeFaults(faults)
  const posted = transactions - USERS // without the openings
  const { answered, refused, cutOff } = measured
  const share = (count: number) => count / Math.max(1, answered)
  const notes = [`ledger of ${transactions.toLocaleString('en')} verified`]
  const accepted = answered - refused
  if (scenario.replayEvery) {
    const replayed = 1 - share(posted)
    notes.push(`${Math.round(replayed * 100)}% replayed`)
    if (Math.abs(replayed - 1 / FIFTH) > FIFTH_TOLERANCE)
      failures.push(`${Math.round(replayed * 100)}% of the requests were replays`)
  } else if (posted < accepted || posted > accepted + cutOff) {
    failures.push(`${accepted} requests were answered with 201, but the ledger has ${posted} transactions`)
  }
  if (scenario.refuseEvery) {
    notes.push(`${Math.round(share(refused) * 100)}% refused`)
    if (refusals < refused || refusals > refused + cutOff) {
      failures.push(`${refused} requests were refused, but the ledger has ${refusals} refusals`)
    }
  }
  return { notes, failures }
}
