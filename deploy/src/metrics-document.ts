// Prints docs/metrics.md: every metric that the services and the audit tell of, by what they register themselves.

const ROOT = new URL('../../', import.meta.url)
const load = (path: string) => import(new URL(path, ROOT).href)
const { createRegistry } = await load('packages/runtime/src/index.ts')

/** As much of a registered metric as is told here; prom-client's types leave out the labels. */
export interface Metric {
  name: string
  help: string
  type: string
  labelNames: readonly string[]
  /** Of a histogram's buckets. */
  upperBounds?: readonly number[]
}

interface Registry {
  getMetricsAsArray(): Metric[]
}

/** Told by prom-client where there is /proc, and left out here: this page is the same wherever it is made. */
const LINUX_ONLY = ['process_virtual_memory_bytes', 'process_heap_bytes', 'process_open_fds', 'process_max_fds']

const nodes: Metric[] = (createRegistry('any') as Registry).getMetricsAsArray()
const isOwn = ({ name }: Metric): boolean => !nodes.some((metric) => metric.name === name)

async function listApi(): Promise<Metric[]> {
  const { buildOfflineApi } = await load('services/api/src/offline-api.ts')
  const { registry, close } = await buildOfflineApi()
  await close()
  return registry.getMetricsAsArray()
}

/** What they register asks nothing of the database before somebody scrapes. */
async function listOf(register: (registry: Registry) => unknown): Promise<Metric[]> {
  const registry: Registry = createRegistry('any')
  await register(registry)
  return registry.getMetricsAsArray()
}

/** By the service that tells them. */
export async function listMetrics(): Promise<Record<string, Metric[]>> {
  const { createRelayMetrics } = await load('services/relay/src/metrics.ts')
  const { createExporterMetrics } = await load('services/exporter/src/metrics.ts')
  const { AuditMetrics } = await load('cli/src/audit/metrics.ts')
  const { createSpanCounter } = await load('packages/tracing/src/index.ts')
  const services = {
    api: await listApi(),
    relay: await listOf((registry) => createRelayMetrics(registry, {})),
    exporter: await listOf((registry) => createExporterMetrics(registry, {})),
    audit: await listOf((registry) => new AuditMetrics(registry)),
    tracing: await listOf(createSpanCounter),
  }
  const own = Object.entries(services).map(([service, metrics]) => [service, metrics.filter(isOwn)])
  return { ...Object.fromEntries(own), all: nodes.filter(({ name }) => !LINUX_ONLY.includes(name)) }
}

const TITLES: Record<string, string> = {
  api: 'API',
  relay: 'Relay',
  exporter: 'Exporter',
  audit: '`streamledger audit`',
  tracing: 'Traces, in each of the three services',
  all: 'Node itself, in each of them',
}

const PREFACE = `# Metrics

What each process tells Prometheus on its ops port, at \`/metrics\`. Every series has the label \`service\` (\`api\`, \`relay\`,
\`exporter\`, \`audit\`) beside those named here. A histogram \`name\` is read as \`name_bucket\` (by \`le\`), \`name_sum\` and \`name_count\`.
What a relay tells of partitions, it tells of all of them, whoever holds them: take the maximum over replicas, not the sum.
The alerts in \`deploy/prometheus/alerts.yaml\` read nothing else; [runbook.md](runbook.md) says what to do about each. This page is
made from the code: \`npm run fix\` writes it anew.`

function renderTable(title: string, metrics: Metric[]): string {
  const rows = metrics
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, type, labelNames, help }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type} | ${labels} | ${help.endsWith('.') ? help : `${help}.`} |`
    })
  return [`## ${title}`, '', '| name | type | labels | what it says |', '|---|---|---|---|', ...rows].join('\n')
}

async function renderMetrics(): Promise<string> {
  const tables = Object.entries(await listMetrics()).map(([service, list]) =>
    renderTable(TITLES[service] ?? service, list),
  )
  return `${[PREFACE, ...tables].join('\n\n')}\n`
}

if (import.meta.main) process.stdout.write(await renderMetrics())
