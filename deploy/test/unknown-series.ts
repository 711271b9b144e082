import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { listMetrics, type Metric } from '../src/metrics-document.ts'
import { listGroupings, listSelectors, type Selector } from './promql-names.ts'

const OPENAPI = resolve(import.meta.dirname, '../../docs/openapi.json')
const SERVICES = ['api', 'relay', 'exporter', 'audit']
/** What Prometheus itself adds, and what every registry of ours does. */
const COMMON_LABELS = ['job', 'instance', 'service']
const ROUTES = Object.keys((JSON.parse(readFileSync(OPENAPI, 'utf8')) as { paths: object }).paths)

type Known = Map<string, Metric>
let known: Promise<Known> | undefined

/** Every series by its name; of a histogram there are three. */
async function listSeries(): Promise<Known> {
  const series: Known = new Map([['up', { name: 'up', help: '', type: 'gauge', labelNames: [] }]])
  for (const metric of Object.values(await listMetrics()).flat()) {
    if (metric.type !== 'histogram') series.set(metric.name, metric)
    else for (const part of ['bucket', 'sum', 'count']) series.set(`${metric.name}_${part}`, metric)
  }
  return series
}

function labelsOf(name: string, { labelNames }: Metric): string[] {
  return [...COMMON_LABELS, ...labelNames, ...(name.endsWith('_bucket') ? ['le'] : [])]
}

function checkMatchers({ name, matchers }: Selector, metric: Metric): string[] {
  const labels = labelsOf(name, metric)
  return Object.entries(matchers).flatMap(([label, { operator, value }]) => {
    if (!labels.includes(label)) return [label]
    if (operator !== '=') return []
    const isUnknown =
      (label === 'le' && !metric.upperBounds?.includes(Number(value))) ||
      (label === 'route' && !ROUTES.includes(value)) ||
      (label === 'service' && !SERVICES.includes(value))
    return isUnknown ? [`${label}="${value}"`] : []
  })
}

/** The parts of an expression that no service exports: metrics, labels, and the values of labels with known values. */
export async function findUnknown(expression: string, recorded: readonly string[]): Promise<string[]> {
  known ??= listSeries()
  const series = await known
  const selectors = listSelectors(expression).filter(({ name }) => !recorded.includes(name))
  const groupable = selectors.flatMap(({ name }) => {
    const metric = series.get(name)
    return metric ? labelsOf(name, metric) : []
  })
  return [
    ...selectors.flatMap((selector) => {
      const metric = series.get(selector.name)
      return metric ? checkMatchers(selector, metric) : [selector.name]
    }),
    ...(groupable.length > 0 ? listGroupings(expression).filter((label) => !groupable.includes(label)) : []),
  ]
}
