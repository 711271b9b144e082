import { signAccessToken } from '../ledger/sign-access-token.ts'
import { describeFaults, verifyWallets } from '../ledger/verify-ledger.ts'
import { createLoad } from '../load/measure-load.ts'
import { postWorkload } from '../load/post-workload.ts'
import { drawPicks, type Workload } from '../load/workload.ts'
import type { Installation } from '../stack/open-installation.ts'
import { type BenchDeps, type Measurement, once } from '../suite.ts'
import { findPage } from '../suites/find-page.ts'
import { countTransactions, lastAt } from './grow-ledger.ts'
import { describeWallets } from './share-out.ts'
import { readFilesOnce, watchDatabase } from './watch-database.ts'

const CONNECTIONS = 64
/** As many as in the other suites. A replica's cache has room for all of these, but only for a part of all wallets. */
const FEW_WALLETS = 1_000
const PAGE_ROWS = 20
/** Position of the deep page in the longest history, if that is too short for the usual deep page. */
const DEEP_SHARE = 0.8
/** The period of the filter, as shares of the time in the table. There are rows before and after it. */
const FILTER_FROM = 0.1
const FILTER_TO = 0.7

interface Wallet {
  readonly id: number
  readonly user_id: number
  readonly sequence: number
}

interface Scenario {
  readonly name: string
  readonly workload: Workload
}

/** Pages and postings on a ledger of this size. Pages come first: what is posted makes the table larger. */
export async function measureGrown(
  deps: BenchDeps,
  installation: Installation,
  size: number,
  report: (measurement: Measurement) => void,
): Promise<void> {
  const { pool } = installation
  const wallets = (await pool.query<Wallet>('select id, user_id, sequence from wallets order by id')).rows
  await pool.query('truncate outbox') // what an earlier run has posted
  await readFilesOnce(pool, deps.signal)
  await pool.query('checkpoint')
  const api = await installation.start('api')

  const { long } = describeWallets(wallets.length)
  const few = wallets.slice(long, long + FEW_WALLETS)
  const scenarios = [
    ...(await readScenarios(deps, installation, { wallets, size, url: api.url })),
    posting(installation, few),
    posting(installation, wallets),
  ]
  for (const scenario of scenarios) report(await measureScenario(deps, installation, { ...scenario, url: api.url }))
  const faults = describeFaults(await verifyWallets(pool, few.map(({ id }) => id))) // biome-ignore format: one thought
  const rows = once('rows', '', await countTransactions(pool))
  const notes = [`${count(few.length)} histories verified`]
  report({ suite: 'growth', name: 'afterwards', figures: [rows], usage: [], notes, failures: faults })
}

async function readScenarios(
  deps: BenchDeps,
  { jwtSecret }: Installation,
  { wallets, size, url }: { wallets: readonly Wallet[]; size: number; url: string },
): Promise<Scenario[]> {
  const { long, busy } = describeWallets(wallets.length)
  // Busy wallets only: with a small table the histories of the others are shorter than a page, so their pages are
  // cheaper.
  const tokens = wallets.slice(long, long + busy).map(({ user_id }) => signAccessToken(jwtSecret, user_id))
  const [longest] = wallets as [Wallet]
  const owner = signAccessToken(jwtSecret, longest.user_id)
  const page = Math.min(deps.pace.read.page, Math.floor((longest.sequence * DEEP_SHARE) / PAGE_ROWS))
  const deep = await findPage(url, owner, { page, pageRows: PAGE_ROWS })
  const first = `/api/v1/transactions?limit=${PAGE_ROWS}`
  const [from, to] = [FILTER_FROM, FILTER_TO].map((share) => lastAt(size * share).toISOString())
  return [
    { name: 'wallets', workload: reading('/api/v1/wallet', tokens) },
    { name: 'first pages', workload: reading(first, tokens) },
    { name: 'pages by date', workload: reading(`${first}&from=${from}&to=${to}`, tokens) },
    { name: `one wallet's page ${count(page)}`, workload: reading(deep, [owner]) },
  ]
}

function reading(path: string, tokens: readonly string[]): Workload {
  return { method: 'GET', path, tokens, picks: drawPicks('uniform', tokens.length), replayEvery: 0, refuseEvery: 0 }
}

function posting(installation: Installation, wallets: readonly Wallet[]): Scenario {
  const users = wallets.map(({ user_id }) => user_id)
  return {
    name: `POST, ${count(users.length)} wallets`,
    workload: postWorkload(installation, users, { choice: 'uniform' }),
  }
}

async function measureScenario(
  deps: BenchDeps,
  installation: Installation,
  { name, workload, url }: Scenario & { url: string },
): Promise<Measurement> {
  const { pool } = installation
  const load = createLoad(deps, { name, workload, url, connections: CONNECTIONS, watched: installation.watched() })
  await load.warmUp()
  const before = await countTransactions(pool)
  const stop = await watchDatabase(pool)
  for (let number = 1; number <= deps.pace.repeats; number += 1) await load.run()
  const { figures: database, walBytes } = await stop()
  const measured = load.measured()
  const posted = (await countTransactions(pool)) - before
  const figures = [...measured.figures, ...database]
  if (workload.method === 'POST') figures.push(once('WAL a posting', 'B', walBytes / posted))
  const failures = [...installation.failures(), ...measured.failures]
  return { suite: 'growth', name, figures, usage: measured.usage, notes: [], failures }
}

const count = (number: number): string => number.toLocaleString('en')
