// Prints the Grafana dashboard of the service that is named in the argument: deploy/grafana/<service>.json.

interface Panel {
  title: string
  /** A unit by Grafana's name. */
  unit: string
  /** Each query with the legend of its lines. */
  queries: readonly { expr: string; legend: string }[]
}

const GRID_WIDTH = 24
const PANEL = { width: 12, height: 8 }
const SCHEMA_VERSION = 39
const DATASOURCE = { type: 'prometheus', uid: '$datasource' }

const panel = (title: string, unit: string, ...queries: readonly [expr: string, legend: string][]): Panel => ({
  title,
  unit,
  queries: queries.map(([expr, legend]) => ({ expr, legend })),
})

const rate = (series: string): string => `rate(${series}[$__rate_interval])`
const increase = (series: string): string => `sum(increase(${series}[$__rate_interval]))`

/** The median and the 99th percentile of a histogram, over all replicas. */
function quantiles(title: string, histogram: string, matchers = ''): Panel {
  const buckets = `sum by (le) (${rate(`${histogram}_bucket${matchers}`)})`
  return panel(
    title,
    's',
    [`histogram_quantile(0.5, ${buckets})`, 'median'],
    [`histogram_quantile(0.99, ${buckets})`, '99th percentile'],
  )
}

/** Panels of every service. */
function processPanels(service: string): Panel[] {
  const of = `{service="${service}"}`
  return [
    panel('Connections to Postgres', 'short', [
      `sum by (pool, state) (database_connections${of})`,
      '{{pool}}, {{state}}',
    ]),
    panel('CPU, cores', 'short', [rate(`process_cpu_seconds_total${of}`), '{{instance}}']),
    panel('Memory', 'bytes', [`process_resident_memory_bytes${of}`, '{{instance}}']),
    panel('Event loop lag, 99th percentile', 's', [`nodejs_eventloop_lag_p99_seconds${of}`, '{{instance}}']),
  ]
}

const POSTINGS = '{method="POST", route="/api/v1/transactions"}'

const API = [
  panel('Requests per second, by status', 'reqps', [
    `sum by (status) (${rate('http_request_duration_seconds_count')})`,
    '{{status}}',
  ]),
  panel('Requests per second, by route', 'reqps', [
    `sum by (method, route) (${rate('http_request_duration_seconds_count')})`,
    '{{method}} {{route}}',
  ]),
  quantiles('Duration of postings', 'http_request_duration_seconds', POSTINGS),
  panel('Duration by route, 99th percentile', 's', [
    `histogram_quantile(0.99, sum by (le, method, route) (${rate('http_request_duration_seconds_bucket')}))`,
    '{{method}} {{route}}',
  ]),
  panel('Error responses per second, by code', 'reqps', [`sum by (code) (${rate('http_problems_total')})`, '{{code}}']),
  panel('Replays per second', 'reqps', [`sum(${rate('posting_replays_total')})`, 'answered again']),
  panel(
    'Waiting postings',
    'short',
    ['sum by (instance) (posting_waiting)', '{{instance}} for a commit'],
    ['sum by (instance) (posting_pending)', '{{instance}} for an answer'],
  ),
  panel('Postings per commit', 'short', [
    `sum(${rate('posting_batch_rows_sum')}) / sum(${rate('posting_batch_rows_count')})`,
    'on average',
  ]),
  quantiles('Duration of a commit', 'posting_batch_duration_seconds'),
  panel(
    'Passwords',
    'short',
    ['sum(password_hashes_running)', 'being hashed'],
    ['sum(password_hashes_waiting)', 'waiting'],
  ),
  panel(
    'Client connections',
    'short',
    ['http_connections', '{{instance}}'],
    [`sum(${rate('http_connections_refused_total')})`, 'refused per second'],
  ),
  ...processPanels('api'),
]

const RELAY = [
  panel('Age of the oldest row in the outbox', 's', [
    'max by (partition) (streamledger_outbox_oldest_seconds)',
    'partition {{partition}}',
  ]),
  panel('Rows in the outbox', 'short', ['max by (partition) (streamledger_outbox_rows)', 'partition {{partition}}']),
  quantiles('Time from outbox row to event', 'streamledger_relay_publish_latency_seconds'),
  quantiles('Duration of a batch', 'streamledger_relay_batch_duration_seconds'),
  panel('Rows published per second', 'short', [
    `sum by (instance) (${rate('streamledger_relay_rows_published_total')})`,
    '{{instance}}',
  ]),
  panel('Rows per batch', 'short', [
    `sum(${rate('streamledger_relay_rows_published_total')}) / sum(${rate('streamledger_relay_batches_total')})`,
    'on average',
  ]),
  panel(
    'Partitions held',
    'short',
    ['streamledger_relay_leases', '{{instance}}'],
    ['max(streamledger_relay_partitions_halted)', 'halted'],
  ),
  panel(
    'Doubts, takeovers and halts',
    'short',
    [increase('streamledger_relay_doubts_total'), 'doubts'],
    [increase('streamledger_relay_takeovers_total'), 'takeovers'],
    [increase('streamledger_relay_halts_total'), 'halts'],
  ),
  panel('Age of receipts', 's', [
    'max by (partition) (streamledger_relay_receipt_age_seconds)',
    'partition {{partition}}',
  ]),
  panel('Partitions of the topic that the database does not know', 'short', [
    'max(streamledger_topic_partitions_unknown)',
    'unknown',
  ]),
  panel(
    'Faults found by the audit',
    'short',
    ...['missing', 'doubled', 'foreign', 'mismatched', 'out_of_order'].map((kind): [string, string] => [
      `max(streamledger_audit_${kind}_total)`,
      kind,
    ]),
  ),
  panel('Offsets that the audit is behind', 'short', [
    'max by (partition) (streamledger_audit_behind_offsets)',
    'partition {{partition}}',
  ]),
  ...processPanels('relay'),
]

const EXPORTER = [
  panel('Waiting exports', 'short', ['max(streamledger_export_jobs_waiting)', 'due']),
  panel('Age of the oldest waiting export', 's', ['max(streamledger_export_oldest_seconds)', 'the oldest']),
  panel('Running exports', 'short', ['streamledger_exports_running', '{{instance}}']),
  panel('Rows written per second', 'short', [
    `sum by (instance) (${rate('streamledger_export_rows_total')})`,
    '{{instance}}',
  ]),
  quantiles('Duration of an export', 'streamledger_export_duration_seconds'),
  panel('Finished attempts, by outcome', 'short', [
    `sum by (outcome) (increase(streamledger_export_attempts_total[$__rate_interval]))`,
    '{{outcome}}',
  ]),
  panel('Permanently failed exports, by code', 'short', [
    `sum by (code) (increase(streamledger_export_failures_total[$__rate_interval]))`,
    '{{code}}',
  ]),
  panel(
    'Lost exporters, removed files',
    'short',
    [increase('streamledger_exporters_lost_total'), 'lost exporters'],
    [increase('streamledger_export_files_swept_total'), 'removed files'],
  ),
  ...processPanels('exporter'),
]

export const DASHBOARDS: Readonly<Record<string, readonly Panel[]>> = { api: API, relay: RELAY, exporter: EXPORTER }

function place({ title, unit, queries }: Panel, index: number): object {
  const column = index % (GRID_WIDTH / PANEL.width)
  const row = Math.floor(index / (GRID_WIDTH / PANEL.width))
  return {
    id: index + 1,
    type: 'timeseries',
    title,
    datasource: DATASOURCE,
    gridPos: { x: column * PANEL.width, y: row * PANEL.height, w: PANEL.width, h: PANEL.height },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } },
    targets: queries.map(({ expr, legend }, at) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + at),
      datasource: DATASOURCE,
      expr,
      legendFormat: legend,
    })),
  }
}

function renderDashboard(service: string): string {
  const panels = DASHBOARDS[service]
  if (!panels) throw new Error(`there is no dashboard of "${service}"`)
  const dashboard = {
    uid: `streamledger-${service}`,
    title: `StreamLedger: ${service}`,
    tags: ['streamledger'],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    templating: { list: [{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' }] },
    panels: panels.map(place),
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

if (import.meta.main) process.stdout.write(renderDashboard(process.argv[2] ?? ''))
