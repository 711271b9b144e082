import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { KUBERNETES } from './helm-tools.ts'
import { createJudge } from './kubernetes-schemas.ts'
import { CASES, CHART, lintChart, type Pod, refuse, renderCases, renderChart } from './render-chart.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8')

/** Values that a person may well write, and what Helm must say. */
const REFUSED: readonly [sets: string[], words: string][] = [
  [['api.replicsa=2'], "at '/api': additional properties 'replicsa' not allowed"],
  [['api.env={"POSTING_BATCHES_MAX":99}'], "at '/api/env/POSTING_BATCHES_MAX': maximum: got 99, want 16"],
  [['relay.env={"RELAY_BATCH_ROWS":5}'], "at '/relay/env': additional properties 'RELAY_BATCH_ROWS' not allowed"],
  [
    ['api.env={"DATABASE_URL":"postgres://u:p@h/d"}'],
    "at '/api/env': additional properties 'DATABASE_URL' not allowed",
  ],
  [['env={"LOG_LEVEL":"loud"}'], "at '/env/LOG_LEVEL': value must be one of"],
  [['env={"RELAY_POLL_MS":5}'], "at '/env': additional properties 'RELAY_POLL_MS' not allowed"],
  [['installationId="prod"'], "at '/installationId': 'prod' does not match pattern"],
  [['kafka.brokers=[]'], "at '/kafka/brokers': minItems"],
  [['kafka.brokers="kafka:9092"'], "at '/kafka/brokers': got string, want array"],
  [['exports.store="disk"'], "at '/exports/store': value must be one of 's3', 'folder'"],
  [['exports.s3.bucket=""'], 'exports.s3.bucket: exports.store is s3, so name the bucket'],
  [['exports.folder.existingClaim="files"'], 'exports.folder.existingClaim: exports.store is not folder'],
  [['relay.autoscaling.maxReplicas=13'], '13 relays cannot share 12 partitions'],
  [['relay.replicas=13'], 'relay.replicas: 13 relays cannot share 12 partitions'],
  [['api.autoscaling.minReplicas=9'], 'api.autoscaling: minReplicas is 9, and at most 6 replicas are allowed'],
  [['topic.partitions=1'], 'relay.replicas: 2 relays cannot share 1 partitions'],
  [
    ['topic.partitions=1', 'relay.replicas=1'],
    'relay.autoscaling: minReplicas is 2, and at most 1 replicas are allowed',
  ],
  [['exporter.autoscaling.minReplicas=0'], "at '/exporter/autoscaling/minReplicas': minimum: got 0, want 1"],
  [['relay.podDisruptionBudget.maxUnavailable=0'], "at '/relay/podDisruptionBudget/maxUnavailable'"],
  [['api.drainDelayMs=15000'], 'api.drainDelayMs: 15000 ms must be less than drainTimeoutMs, which is 15000'],
  [['kafka.tls.caSecret="ca"'], 'kafka.tls.caSecret: without kafka.tls.enabled'],
  [['kafka.sasl.mechanism="plain"'], 'kafka.sasl: a mechanism and existingSecret'],
  [['kafka.sasl.existingSecret="relay"'], 'kafka.sasl: a mechanism and existingSecret'],
  [['tracing.existingSecret="headers"'], 'tracing.existingSecret: without tracing.endpoint nothing is traced'],
  [['api.env={"OTEL_EXPORTER_OTLP_HEADERS":"a=b"}'], "additional properties 'OTEL_EXPORTER_OTLP_HEADERS' not allowed"],
  [['ingress.enabled=true'], 'ingress.hosts: ingress.enabled needs a host'],
  [['drainTimeoutMs=1'], "at '/drainTimeoutMs': minimum: got 1, want 100"],
  [[`fullnameOverride="${'x'.repeat(46)}"`], "at '/fullnameOverride': maxLength: got 46, want 45"],
]

describe('the chart', () => {
  const { get, tools } = renderCases()

  test.each(CASES)('passes Helm’s own look at it with the values %s', async (name) => {
    expect(await lintChart(tools().helm, name)).toContain('1 chart(s) linted, 0 chart(s) failed')
  })

  test.each(KUBERNETES)('makes nothing that Kubernetes %s does not know', (version) => {
    const judge = createJudge(tools(), version)
    for (const name of CASES) {
      expect(get(name).objects.length).toBeGreaterThan(10)
      for (const object of get(name).objects) {
        expect({ name, of: object.metadata.name, faults: judge(object) }).toMatchObject({ faults: [] })
      }
    }
  })

  test('what Kubernetes would not know is found, wherever it is', () => {
    const judge = createJudge(tools(), '1.37')
    const { find } = get('everything')
    const deployment = structuredClone(find('Deployment', 'ledger-streamledger-api'))
    Object.assign((deployment.spec.template as Pod).spec.containers[0] ?? {}, { readynessProbe: {}, image: 5 })
    expect(judge(deployment).sort()).toEqual([
      '/spec/template/spec/containers/0 must NOT have additional properties readynessProbe',
      '/spec/template/spec/containers/0/image must be string,null string,null',
    ])
    const scaled = structuredClone(find('ScaledObject', 'ledger-streamledger-relay'))
    scaled.spec.maxReplicas = 3
    expect(judge(scaled)).toEqual(['/spec must NOT have additional properties maxReplicas'])
    const claim = { ...get('folder').find('PersistentVolumeClaim', 'ledger-exports'), apiVersion: 'v2' }
    expect(judge(claim)).toEqual(['v2 has no PersistentVolumeClaim'])
  })

  test.each(REFUSED)('refuses %s', async (sets, words) => {
    expect(await refuse(tools().helm, 'minimal', ...sets)).toContain(words)
  })

  test('names all that has no default, at once', async () => {
    const missing = ['/image', '/kafka', '/database', '/jwt'].map((place) => `at '${place}': missing property`)
    const words = await refuse(tools().helm, undefined)
    for (const word of [...missing, "at '': missing property 'installationId'"]) expect(words).toContain(word)
  })

  test('the values of docs/kubernetes.md make what Kubernetes knows', async () => {
    const [, example = ''] = /```yaml\n(# ledger\.yaml\n[^`]+)```/.exec(read('docs/kubernetes.md')) ?? []
    const folder = mkdtempSync(join(tmpdir(), 'streamledger-chart-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(join(folder, 'ledger.yaml'), example)
    const { objects } = await renderChart(tools().helm, join(folder, 'ledger.yaml'))
    const judge = createJudge(tools(), '1.37')
    expect(objects.length).toBeGreaterThan(20)
    expect(objects.flatMap(judge)).toEqual([])
  })

  test('gives every object a name of its own, in the release’s namespace', () => {
    for (const name of CASES) {
      const names = get(name).objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
      expect(names.filter((one, at) => names.indexOf(one) !== at)).toEqual([])
      for (const { metadata } of get(name).objects) {
        expect(metadata.namespace).toBeUndefined()
        expect(metadata.name.length).toBeLessThanOrEqual(63)
      }
    }
  })

  test.each(['fullnameOverride', 'nameOverride'])(
    'the longest %s leaves room for what Kubernetes and KEDA add',
    async (value) => {
      const { objects } = await renderChart(tools().helm, 'everything', `${value}="${'x'.repeat(45)}"`)
      // A StatefulSet marks its pods with its name and a digest of ten, KEDA calls its autoscaler keda-hpa-<name>.
      const added: Record<string, number> = { StatefulSet: 11, ScaledObject: 9 }
      const lengths = objects.map(({ kind, metadata }) => metadata.name.length + (added[kind] ?? 0))
      expect(Math.max(...lengths)).toBe(63)
    },
  )

  test('holds no secret, whatever it is told', () => {
    for (const name of CASES) expect(get(name).ofKind('Secret')).toEqual([])
  })

  test('the alerts of the PrometheusRule are those of deploy/prometheus, and lead to the runbook where it is read', () => {
    const everything = parse(read('deploy/helm/ci/everything-values.yaml')) as {
      prometheusRule: { runbookBaseUrl: string }
    }
    const { runbookBaseUrl } = everything.prometheusRule
    const elsewhere = read('deploy/prometheus/alerts.yaml').replaceAll('runbook_url: docs/runbook.md', `runbook_url: ${runbookBaseUrl}`) // biome-ignore format: one line
    expect(get('everything').find('PrometheusRule', 'ledger-streamledger').spec).toEqual(parse(elsewhere))
  })

  test('without the address of a runbook the alerts are the same, and have no link', () => {
    const unlinked = read('deploy/prometheus/alerts.yaml').replaceAll(/^ *runbook_url: .*\n/gm, '')
    expect(unlinked).not.toContain('runbook_url: ')
    const { spec } = get('existing-claim').find('PrometheusRule', 'ledger-streamledger')
    expect(spec).toEqual(parse(unlinked))
  })

  test('the dashboards are those of deploy/grafana, every one', () => {
    const { data = {} } = get('everything').find('ConfigMap', 'ledger-streamledger-dashboards')
    const files = readdirSync(resolve(ROOT, 'deploy/grafana')).filter((name) => name.endsWith('.json'))
    expect(Object.keys(data).sort()).toEqual(files.map((file) => `streamledger-${file}`).sort())
    for (const file of files) expect(data[`streamledger-${file}`]).toBe(read(`deploy/grafana/${file}`))
  })

  test('has the version of the release whose image it runs', () => {
    const chart = parse(readFileSync(resolve(CHART, 'Chart.yaml'), 'utf8'))
    const { version } = JSON.parse(read('package.json'))
    expect(chart).toMatchObject({ name: 'streamledger', version, appVersion: version })
    expect(chart.kubeVersion).toBe(`>=${KUBERNETES[0]}.0-0`)
  })
})
