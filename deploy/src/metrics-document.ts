// Prints docs/metrics.md: every metric that the services and the audit register.

const ROOT = new URL('../../', import.meta.url)
const load = (path: string) => import(new URL(path, ROOT).href)
const { createRegistry } = await load('packages/runtime/src/index.ts')

/** The parts of a registered metric that are used here; prom-client's types lack the labels. */
export interface Metric {
  name: string
  help: string
  type: string
  labelNames: readonly string[]
  /** The buckets of a histogram. */
  upperBounds?: readonly number[]
}

interface Registry {
  getMetricsAsArray(): Metric[]
}

/** Metrics that prom-client has only on Linux. They are left out, so that this page is the same on every system. */
const LINUX_ONLY = ['process_virtual_memory_bytes', 'process_heap_bytes', 'process_open_fds', 'process_max_fds']

const nodes: Metric[] = (createRegistry('any') as Registry).getMetricsAsArray()
const isOwn = ({ name }: Metric): boolean => !nodes.some((metric) => metric.name === name)

async function listApi(): Promise<Metric[]> {
  const { buildOfflineApi } = await load('services/api/src/offline-api.ts')
  const { registry, close } = await buildOfflineApi()
  await close()
  return registry.getMetricsAsArray()
}

/** Registering needs no database: a metric reads it only when it is scraped. */
async function listOf(register: (registry: Registry) => unknown): Promise<Metric[]> {
  const registry: Registry = createRegistry('any')
  await register(registry)
  return registry.getMetricsAsArray()
}

/** The metrics by service. */
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
  tracing: 'Tracing, in each of the three services',
  all: 'Node.js, in every process',
}

const PREFACE = `# Metrics

Every process serves its metrics for Prometheus on its ops port, at \`/metrics\`. In addition to the labels named here, every series
has the label \`service\` (\`api\`, \`relay\`, \`exporter\`, \`audit\`). A histogram \`name\` has the series \`name_bucket\` (by \`le\`), \`name_sum\`
and \`name_count\`. Each relay reports all partitions, also those that another relay holds: take the maximum over replicas, not the sum.

The alerts in \`deploy/prometheus/alerts.yaml\` read only these metrics and \`up\`; [runbook.md](runbook.md) says what to do about each alert.
This page is generated from the code: \`npm run fix\` updates it.`

function renderTable(title: string, metrics: Metric[]): string {
  const rows = metrics
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, type, labelNames, help }) => {
      const labels = labelNames.map((label) => `\`${label}\``).join(', ')
      return `| \`${name}\` | ${type} | ${labels} | ${help.endsWith('.') ? help : `${help}.`} |`
    })
  return [`## ${title}`, '', '| name | type | labels | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

async function renderMetrics(): Promise<string> {
  const tables = Object.entries(await listMetrics()).map(([service, list]) =>
    renderTable(TITLES[service] ?? service, list),
  )
  return `${[PREFACE, ...tables].join('\n\n')}\n`
}

if (import.meta.main) process.stdout.write(await renderMetrics())
