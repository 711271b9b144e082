import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const FOLDER = resolve(import.meta.dirname, '../grafana')
export const DASHBOARDS = ['api', 'relay', 'exporter'] as const

interface Dashboard {
  panels: { title: string; targets: { expr: string }[] }[]
}

/** What a dashboard asks Prometheus for, as Grafana would send it; steps are a minute. */
export function listExpressions(service: string): string[] {
  const { panels } = JSON.parse(readFileSync(resolve(FOLDER, `${service}.json`), 'utf8')) as Dashboard
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m')))
}
