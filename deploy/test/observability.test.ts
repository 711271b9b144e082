import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

// The profile `observability` of docker-compose.yml: what its programs are given fits together. Grafana itself reads none of it
// here, as its image cannot be pulled.

const ROOT = resolve(import.meta.dirname, '../..')

interface Service {
  profiles: string[]
  command?: string[]
  environment?: Record<string, string>
  volumes: string[]
}

interface Collector {
  receivers: { otlp: { protocols: Record<string, { endpoint: string }> } }
  processors: Record<string, unknown>
  exporters: Record<string, unknown>
  service: { pipelines: { traces: Record<'receivers' | 'processors' | 'exporters', string[]> } }
}

interface Scrapes {
  scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[]
  global: { scrape_interval: string }
}

const load = <Document>(path: string): Document =>
  parse(readFileSync(join(ROOT, path), 'utf8'), { merge: true }) as Document
const composeText = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8')
const { services } = load<{ services: Record<string, Service> }>('docker-compose.yml')
const serviceOf = (name: string): Service => services[name] ?? expect.fail(`there is no ${name}`)

/** The folder or file of this repository that a container sees under a path. */
function sourceOf(service: Service, path: string): string {
  for (const volume of service.volumes) {
    const [source = '', target = ''] = volume.split(':')
    if (source.startsWith('./') && (path === target || path.startsWith(`${target}/`))) {
      return join(source, path.slice(target.length))
    }
  }
  return expect.fail(`nothing is mounted at ${path}`)
}

const provisioning = (kind: string): string => {
  const folder = serviceOf('grafana').environment?.GF_PATHS_PROVISIONING ?? ''
  return sourceOf(serviceOf('grafana'), join(folder, kind))
}
const [datasourcesFile = ''] = readdirSync(join(ROOT, provisioning('datasources')))
const [providersFile = ''] = readdirSync(join(ROOT, provisioning('dashboards')))

test('the profile brings Prometheus, Grafana and a collector, and whatever they write to is theirs alone', () => {
  const profiled = Object.entries(services).filter(([, { profiles }]) => profiles?.includes('observability'))
  expect(profiled.map(([name]) => name).sort()).toEqual(['grafana', 'otel-collector', 'prometheus'])
  for (const [name, { volumes }] of profiled) {
    const mounted = volumes.filter((volume) => volume.startsWith('./'))
    expect({ name, writable: mounted.filter((volume) => !volume.endsWith(':ro')) }).toEqual({ name, writable: [] })
    for (const volume of mounted) expect(existsSync(join(ROOT, volume.split(':')[0] ?? ''))).toBe(true)
  }
})

test('Grafana is told where Prometheus is, and how often that looks', () => {
  const { datasources } = load<{ datasources: { type: string; url: string; jsonData: { timeInterval: string } }[] }>(
    join(provisioning('datasources'), datasourcesFile),
  )
  const [datasource] = datasources
  expect(datasources).toHaveLength(1)
  expect(datasource?.type).toBe('prometheus')
  const { hostname, port } = new URL(datasource?.url ?? '')
  expect(services).toHaveProperty(hostname)
  expect(composeText).toContain(`:${port}"]\n    volumes: ["./deploy/prometheus:`)
  expect(datasource?.jsonData.timeInterval).toBe(
    load<Scrapes>('deploy/prometheus/prometheus.yml').global.scrape_interval,
  )
})

test('Grafana finds each dashboard, and each dashboard finds the data source by its kind', () => {
  const { providers } = load<{ providers: { type: string; options: { path: string } }[] }>(
    join(provisioning('dashboards'), providersFile),
  )
  expect(providers.map(({ type }) => type)).toEqual(['file'])
  const folder = sourceOf(serviceOf('grafana'), providers[0]?.options.path ?? '')
  const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.json'))
  expect(files.sort()).toEqual(['api.json', 'exporter.json', 'relay.json'])
  for (const file of files) {
    const { templating } = load<{ templating: { list: { type: string; query: string }[] } }>(join(folder, file))
    expect(templating.list).toContainEqual(expect.objectContaining({ type: 'datasource', query: 'prometheus' }))
  }
})

test('Prometheus looks for services that there are, on the ports that they are given', () => {
  for (const { job_name, dns_sd_configs } of load<Scrapes>('deploy/prometheus/prometheus.yml').scrape_configs) {
    const [{ names: [name = ''] = [], port } = {}] = dns_sd_configs
    expect(job_name).toBe(`streamledger-${name}`)
    expect(serviceOf(name).environment?.OPS_PORT).toBe(port)
  }
})

test('the collector is given its configuration, listens where the services send to, and joins only what there is', () => {
  const service = serviceOf('otel-collector')
  const path = /^--config=(.+)$/.exec(service.command?.[0] ?? '')?.[1] ?? ''
  const collector = load<Collector>(sourceOf(service, path))
  const { protocols } = collector.receivers.otlp
  const told = [...composeText.matchAll(/OTEL_EXPORTER_OTLP_ENDPOINT=(\S+)/g)].map(([, url = '']) => new URL(url))
  expect(told.map(({ hostname }) => hostname)).toEqual(['otel-collector'])
  expect(protocols.http?.endpoint).toBe(`0.0.0.0:${told[0]?.port}`)
  const { traces } = collector.service.pipelines
  for (const kind of ['receivers', 'processors', 'exporters'] as const) {
    expect({ kind, names: traces[kind].toSorted() }).toEqual({ kind, names: Object.keys(collector[kind]).sort() })
  }
})
