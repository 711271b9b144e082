import type { Pool } from 'pg'
import type { Command, CommandResult } from './command.ts'
import { loadDatabaseConfig } from './config.ts'
import { EXIT } from './errors.ts'
import { FaultLog } from './fault-log.ts'
import { readTopicRow } from './read-topic-row.ts'
import { renderFaults } from './render-faults.ts'
import { renderCount, renderDuration, renderQuantity, renderTable } from './render-table.ts'
import { LEDGER_FAULTS, type LedgerFault, type Verification } from './verify/ledger-faults.ts'
import { verifyExports } from './verify/verify-exports.ts'
import { verifyOutbox } from './verify/verify-outbox.ts'
import { verifyRefusals } from './verify/verify-refusals.ts'
import { verifyWallets } from './verify/verify-wallets.ts'
import { withDatabase } from './with-database.ts'

const HELP = `
Usage: streamledger verify [--json] [--progress]

Reads the whole ledger in Postgres, a range of wallets at a time, and checks these promises:
${Object.entries(LEDGER_FAULTS)
  .map(([kind, { promise }]) => `  ${kind.padEnd(21)}not true: ${promise}`)
  .join('\n')}

It changes nothing. It may run while the system is busy, and reports no false faults then: it reads each wallet and the
end of its history in one snapshot, and the history before that end never changes. Memory use does not depend on the size
of the ledger. \`streamledger reconcile\` checks whether the events have reached the topic.

Examples:
  streamledger verify                        is the ledger sound?
  streamledger verify --json | jq .faults    the number of faults of each kind, for a script
  streamledger verify --progress 2>log       without a terminal: write the progress to a file`

async function runChecks(pool: Pool, verification: Verification): Promise<void> {
  const topic = await readTopicRow(pool)
  await verifyWallets(pool, verification)
  await verifyRefusals(pool, verification)
  await verifyOutbox(pool, topic, verification)
  await verifyExports(pool, verification)
}

/** Checks the ledger's invariants. */
export const verify: Command = {
  name: 'verify',
  summary: 'is the ledger in Postgres sound?',
  help: HELP,
  options: {},
  async run({ env, progress }) {
    const { databaseUrl } = loadDatabaseConfig(env)
    const startedAt = performance.now()
    const checked = { wallets: 0, transactions: 0, refusals: 0, outbox_rows: 0, exports: 0 }
    const faults = new FaultLog<LedgerFault>(Object.keys(LEDGER_FAULTS) as LedgerFault[])
    const onProgress = () => progress.report(() => describe({ checked, faults }))
    const verification = { faults, checked, onProgress }
    await withDatabase(databaseUrl, (pool) => runChecks(pool, verification))
    return renderResult(verification, (performance.now() - startedAt) / 1_000)
  },
}

const describe = ({ checked, faults }: Pick<Verification, 'checked' | 'faults'>): string =>
  `${Object.entries(checked)
    .map(([name, count]) => `${renderCount(count)} ${name.replace('_', ' ')}`)
    .join(', ')}: ${renderQuantity(faults.total, 'fault')}`

function renderResult({ checked, faults }: Verification, seconds: number): CommandResult {
  const ok = faults.total === 0
  const rows = Object.entries(LEDGER_FAULTS).map(([kind, { promise, of }]) => [
    promise,
    renderQuantity(checked[of], of.replace('_', ' ').replace(/s$/, '')),
    renderCount(faults.counts[kind as LedgerFault]),
  ])
  const verdict = ok ? 'The ledger is sound.' : `The ledger has ${renderQuantity(faults.total, 'fault')}.`
  const table = renderTable(['promise', 'checked', 'faults'], rows)
  return {
    exitCode: ok ? EXIT.well : EXIT.faults,
    json: { command: 'verify', ok, checked, faults: faults.counts, examples: faults.examples, seconds },
    text: [table, '', ...renderFaults(faults), `${verdict} Read in ${renderDuration(seconds)}.`].join('\n'),
  }
}
