import { seedHistory } from '../ledger/seed-history.ts'
import { seedUsers } from '../ledger/seed-users.ts'
import { signAccessToken } from '../ledger/sign-access-token.ts'
import { measureLoad } from '../load/measure-load.ts'
import { postWorkload } from '../load/post-workload.ts'
import { readPeakMb, watchUsage } from '../measure/process-usage.ts'
import { spreadOf } from '../measure/statistics.ts'
import { openEngines } from '../stack/open-engines.ts'
import { type Installation, openInstallation } from '../stack/open-installation.ts'
import { type BenchDeps, type Figure, type Measurement, once, type Suite } from '../suite.ts'
import { createExportClient, type ExportClient } from './export-client.ts'

/** One user has the long history; the others post meanwhile. */
const USERS = 1_001
const LOAD_RATE = 1_000

/** A long history as a workbook: alone, twice at once, and while people post. */
export const runExport: Suite = async (deps, report) => {
  await using engines = await openEngines(deps, { kafka: false })
  await using installation = await openInstallation(deps, engines)
  const users = await seedUsers(installation, USERS)
  const [owner = 0, ...others] = users
  const { rows } = deps.pace.export
  // Together with the opening, the history has exactly `rows` rows.
  await seedHistory(installation.pool, { users: [owner], rows: [rows - 1] })
  await settle(installation)
  deps.screen.progress(`${rows.toLocaleString('en')} transactions written`)
  const api = await installation.start('api')
  const client = createExportClient(api.url, signAccessToken(installation.jwtSecret, owner), { rows, ...deps })

  report(await measureAlone(deps, installation, client))
  report(await measureTwo(deps, installation, client))
  const plan = {
    ...{ url: api.url, connections: 0, rate: LOAD_RATE },
    workload: postWorkload(installation, others, { choice: 'uniform' }),
  }
  const quiet = { ...plan, name: 'API without an export', watched: installation.watched() }
  report(toMeasurement(installation, quiet.name, await measureLoad(deps, quiet)))
  await settle(installation)
  const exporter = await installation.start('exporter')
  const busy = { ...plan, name: 'API during an export', watched: installation.watched() }
  report(toMeasurement(installation, busy.name, await withExports(client, () => measureLoad(deps, busy))))
  await exporter.stop()
}

/** Finishes PostgreSQL's pending work for written rows before the next measurement. */
async function settle({ pool }: Installation): Promise<void> {
  await pool.query('vacuum (analyze)')
  await pool.query('checkpoint')
}

/** Starts a new exporter for each measurement, because the kernel records the memory peak of the whole process. */
async function measureExporter(installation: Installation, measureTime: () => Promise<Figure>) {
  const exporter = await installation.start('exporter')
  const watch = watchUsage(installation.watched())
  const time = await measureTime()
  const usage = watch.stop() ?? []
  const peak = once('peak memory', 'MB', readPeakMb(exporter.pid))
  const failures = installation.failures()
  await exporter.stop()
  return { suite: 'export', figures: [time, peak], usage, failures }
}

async function measureAlone(deps: BenchDeps, installation: Installation, client: ExportClient): Promise<Measurement> {
  const { rows, repeats } = deps.pace.export
  const measured = await measureExporter(installation, async () => {
    const times: number[] = []
    for (let number = 1; number <= repeats; number += 1) {
      times.push(await client.exportOnce())
      deps.screen.progress(`one export: run ${number} of ${repeats}, ${times.at(-1)?.toFixed(1)} s`)
    }
    return { name: 'time', unit: 's', ...spreadOf(times) }
  })
  return { ...measured, name: 'one export', notes: [`${rows.toLocaleString('en')} rows, from order to file`] }
}

async function measureTwo(deps: BenchDeps, installation: Installation, client: ExportClient): Promise<Measurement> {
  const measured = await measureExporter(installation, async () => {
    const seconds = Math.max(...(await Promise.all([client.exportOnce(), client.exportOnce()])))
    deps.screen.progress(`two exports at once: ${seconds.toFixed(1)} s`)
    return once('time', 's', seconds)
  })
  return { ...measured, name: 'two exports at once', notes: ['until both are done'] }
}

/** Runs exports, one after another, while something else is measured. */
async function withExports<T>(client: ExportClient, measure: () => Promise<T>): Promise<T> {
  let done = false
  const exporting = (async () => {
    while (!done) await client.exportOnce()
  })()
  exporting.catch(() => {}) // not unhandled: awaited below
  try {
    return await measure()
  } finally {
    done = true
    await exporting
  }
}

function toMeasurement(
  installation: Installation,
  name: string,
  { figures, usage, failures }: Awaited<ReturnType<typeof measureLoad>>,
): Measurement {
  const notes = [`POST, open loop, ${LOAD_RATE.toLocaleString('en')}/s`]
  return { suite: 'export', name, figures, usage, notes, failures: [...installation.failures(), ...failures] }
}
