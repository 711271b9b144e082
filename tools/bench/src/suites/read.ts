import { seedHistory } from '../ledger/seed-history.ts'
import { seedUsers } from '../ledger/seed-users.ts'
import { signAccessToken } from '../ledger/sign-access-token.ts'
import { measureLoad } from '../load/measure-load.ts'
import { drawPicks, type Workload } from '../load/workload.ts'
import { openEngines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import type { BenchDeps, Suite } from '../suite.ts'
import { findPage } from './find-page.ts'

const USERS = 1_000
const CONNECTIONS = 64
/** Share of all rows in the wallet with the long list: deep enough for page 10,000 of a million rows. */
const LONG_HISTORY_SHARE = 0.3

/** GET wallet, and the first and a deep page of one wallet's list, in a table with rows of many wallets. */
export const runRead: Suite = async (deps, report) => {
  await using engines = await openEngines(deps, { kafka: false })
  await using installation = await openInstallation(deps, engines)
  const users = await seedUsers(installation, USERS)
  const rows = spreadRows(deps.pace.read.rows)
  await seedHistory(installation.pool, { users, rows })
  deps.screen.progress(`${deps.pace.read.rows.toLocaleString('en')} transactions written`)
  const api = await installation.start('api')
  await installation.pool.query('checkpoint')

  const tokens = users.map((user) => signAccessToken(installation.jwtSecret, user))
  const [owner = ''] = tokens
  const { page, pageRows } = deps.pace.read
  const first = `/api/v1/transactions?limit=${pageRows}`
  const deep = await findPage(api.url, owner, { page, pageRows })
  const scenarios = [
    { name: `wallet, ${CONNECTIONS}`, workload: reading('/api/v1/wallet', tokens) },
    // Concurrent requests for one wallet's page are read once. This scenario shows the cost of different pages.
    { name: `list, ${USERS} users, ${CONNECTIONS}`, workload: reading(first, tokens) },
    { name: `list, first page, ${CONNECTIONS}`, workload: reading(first, [owner]) },
    { name: `list, deep page, ${CONNECTIONS}`, workload: reading(deep, [owner]) },
  ]
  for (const { name, workload } of scenarios) {
    const plan = { name, workload, url: api.url, connections: CONNECTIONS, watched: installation.watched() }
    const { figures, usage, failures } = await measureLoad(deps, plan)
    const notes = [noteOf(deps, workload.path === deep)]
    report({ suite: 'read', name, figures, usage, notes, failures: [...installation.failures(), ...failures] })
  }
}

function reading(path: string, tokens: readonly string[]): Workload {
  const picks = drawPicks('uniform', tokens.length)
  return { method: 'GET', path, tokens, picks, replayEvery: 0, refuseEvery: 0 }
}

/** One long history; the rest is shared out evenly. */
function spreadRows(total: number): number[] {
  const long = Math.floor(total * LONG_HISTORY_SHARE)
  const each = Math.floor((total - long) / (USERS - 1))
  return Array.from({ length: USERS }, (_, index) => (index === 0 ? long : each))
}

function noteOf({ pace }: BenchDeps, isDeep: boolean): string {
  const size = `${pace.read.rows.toLocaleString('en')} rows in the table`
  return isDeep ? `page ${pace.read.page.toLocaleString('en')}, ${size}` : size
}
