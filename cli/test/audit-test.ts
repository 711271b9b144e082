import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, waitFor } from '@streamledger/testkit'
import { type Ledger, makeLedger } from './ledger.ts'
import { type Audit, type StartAudit, startAudit } from './start-audit.ts'

export const NONE = { missing: 0, doubled: 0, foreign: 0, mismatched: 0, out_of_order: 0 }

/** vitest's `test` with a ledger, and audits that end with it. */
export const test = base
  .extend('ledger', async ({ createDatabase, kafka }) => makeLedger(await createDatabase(), kafka))
  .extend('stateFile', async ({ engines: _ }, { onCleanup }) => {
    const folder = await mkdtemp(join(tmpdir(), 'streamledger-audit-'))
    onCleanup(() => rm(folder, { recursive: true }))
    return join(folder, 'audit.db')
  })
  .extend('start', async ({ ledger }, { onCleanup }): Promise<StartAudit> => {
    const audits: Audit[] = []
    onCleanup(async () => void (await Promise.all(audits.map((audit) => audit.kill()))))
    return async (env, args) => {
      const audit = await startAudit({ ...ledger.env, ...env }, args)
      audits.push(audit)
      return audit
    }
  })

/** Four wallets, over both partitions, with three transactions each. */
export async function post(ledger: Ledger): Promise<number[]> {
  const wallets = await ledger.addWallets(4)
  await postMore(ledger, wallets)
  return wallets
}

export async function postMore(ledger: Ledger, wallets: readonly number[]): Promise<void> {
  for (const amount of [100, 200, -50]) for (const wallet of wallets) await ledger.post(wallet, amount)
}

/** Everything that was posted so far is judged. */
export async function judged(audit: Audit, ledger: Ledger): Promise<typeof NONE> {
  const { rows } = await ledger.pool.query('select extract(epoch from clock_timestamp())::float8 as now')
  await waitFor(async () => (await audit.metric('judged_timestamp_seconds')) > rows[0].now, { timeoutMs: 20_000 })
  return audit.faults()
}
