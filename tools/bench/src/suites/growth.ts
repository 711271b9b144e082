import { readFreeBytes, refuseForDisk } from '../growth/check-disk.ts'
import { growDatabase, listGrownSizes } from '../growth/grow-database.ts'
import { countTransactions } from '../growth/grow-ledger.ts'
import { measureGrown } from '../growth/measure-grown.ts'
import { measureSizes } from '../growth/measure-sizes.ts'
import { openEngines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import type { Measurement, Suite } from '../suite.ts'

/** Pages and postings while the table grows: the same wallets, with longer and longer histories. */
export const runGrowth: Suite = async (given, report) => {
  const { growth } = given.pace
  const deps = { ...given, pace: { ...given.pace, ...growth } }
  await using engines = await openEngines(deps, { kafka: false, keep: deps.keep })
  const present = await listGrownSizes(engines.postgres.url)
  const wanted = { sizes: growth.sizes, present, keep: deps.keep !== undefined }
  const refusal = refuseForDisk(wanted, readFreeBytes(deps.keep ?? deps.dir))
  if (refusal !== undefined) throw new Error(refusal)

  for (const size of growth.sizes) {
    const startedAt = performance.now()
    const database = await growDatabase(deps, engines, size)
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    deps.screen.progress(`${size.toLocaleString('en')} transactions are in the table (${seconds} s)`)
    await using installation = await openInstallation(deps, engines, database)
    const reportFor = (one: Measurement) => report({ ...one, name: `${size.toLocaleString('en')}: ${one.name}` })
    reportFor(await measureSizes(installation.pool, await countTransactions(installation.pool)))
    if (!deps.seedOnly) await measureGrown(deps, installation, size, reportFor)
  }
}
