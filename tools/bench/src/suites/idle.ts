import { setTimeout as delay } from 'node:timers/promises'
import { watchUsage } from '../measure/process-usage.ts'
import { openEngines } from '../stack/open-engines.ts'
import { openInstallation } from '../stack/open-installation.ts'
import { once, type Suite } from '../suite.ts'

const SERVICES = ['api', 'relay', 'exporter'] as const

/** CPU and memory of all services without requests, some time after their start. */
export const runIdle: Suite = async (deps, report) => {
  await using engines = await openEngines(deps, { kafka: true })
  await using installation = await openInstallation(deps, engines)
  for (const service of SERVICES) await installation.start(service)
  const { settleS, runS } = deps.pace.idle
  deps.screen.progress(`all services are up; ${settleS} s to settle, then ${runS} s are measured`)
  await delay(settleS * 1_000, undefined, { signal: deps.signal })
  const watch = watchUsage(installation.watched())
  await delay(runS * 1_000, undefined, { signal: deps.signal })
  const usage = watch.stop()
  const failures = installation.failures()
  if (!usage) {
    const notes = ['not measured: this platform has no /proc']
    return report({ suite: 'idle', name: 'services', figures: [], usage: [], notes, failures })
  }
  for (const { name, cpu_percent, rss_mb } of usage) {
    const figures = [once('CPU', '%', cpu_percent), ...(rss_mb > 0 ? [once('memory', 'MB', rss_mb)] : [])]
    report({ suite: 'idle', name, figures, usage: [], notes: [], failures })
  }
}
