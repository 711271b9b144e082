import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'

const FOLDER = resolve(import.meta.dirname, '../grafana')
export const DASHBOARDS = ['api', 'relay', 'exporter'] as const

export interface DashboardPanel {
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  fieldConfig: { defaults: { unit: string } }
  targets: { expr: string; legendFormat: string }[]
}

export interface Dashboard {
  title: string
  panels: DashboardPanel[]
}

export function readDashboard(service: string): Dashboard {
  return JSON.parse(readFileSync(resolve(FOLDER, `${service}.json`), 'utf8')) as Dashboard
}

/** What a dashboard asks Prometheus for, as Grafana would send it; steps are a minute. */
export function listExpressions(service: string): string[] {
  const { panels } = readDashboard(service)
  return panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m')))
}
