import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SERVICES } from '../src/env-example.ts'
import { hasPrometheus, preparePrometheus } from './prometheus-tools.ts'
import { listSelectors } from './promql-names.ts'
import { CASES, renderCases, renderChart } from './render-chart.ts'
import { findUnknown } from './unknown-series.ts'

const FETCH_TIMEOUT_MS = 400_000

interface ScaledObject {
  scaleTargetRef: { name: string }
  minReplicaCount: number
  maxReplicaCount: number
  fallback: { replicas: number }
  triggers: [{ metadata: { query: string; threshold: string; ignoreNullValues: string; serverAddress: string } }]
}

describe('the chart', () => {
  const { get, tools } = renderCases()

  const scaledOf = (of: string, name: string): ScaledObject =>
    get(of).find('ScaledObject', `ledger-streamledger-${name}`).spec as unknown as ScaledObject
  const queryOf = (of: string, name: string): string => scaledOf(of, name).triggers[0].metadata.query
  const replicasOf = (of: string, name: string): unknown =>
    get(of).find('Deployment', `${of === 'folder' ? 'ledger' : 'ledger-streamledger'}-${name}`).spec.replicas

  test('whoever counts replicas is alone in it', () => {
    const replicas = (of: string) => ['api', 'relay', 'exporter'].map((name) => replicasOf(of, name))
    expect(replicas('everything')).toEqual([undefined, undefined, undefined])
    expect(replicas('minimal')).toEqual([undefined, 2, 2])
    expect(replicas('folder')).toEqual([3, 3, 1])
    const counters = (of: string) => [...get(of).ofKind('HorizontalPodAutoscaler'), ...get(of).ofKind('ScaledObject')]
    const counted = (of: string) =>
      counters(of).map(({ spec }) => (spec.scaleTargetRef as { name: string }).name.replace('ledger-streamledger-', ''))
    expect(counted('everything').sort()).toEqual(['api', 'exporter', 'relay'])
    expect(counted('minimal')).toEqual(['api'])
    expect(counted('folder')).toEqual([])
  })

  test('replicas that are replaced are ready before the old ones go', () => {
    for (const of of CASES) {
      for (const { spec } of get(of).ofKind('Deployment')) {
        expect(spec.strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } })
      }
    }
  })

  test('the API grows with its CPU, at once, and shrinks slowly', () => {
    const { spec } = get('minimal').find('HorizontalPodAutoscaler', 'ledger-streamledger-api')
    const target = { type: 'Utilization', averageUtilization: 80 }
    expect(spec).toMatchObject({ minReplicas: 2, maxReplicas: 6, metrics: [{ resource: { name: 'cpu', target } }] })
    expect(spec.behavior).toMatchObject({ scaleUp: { stabilizationWindowSeconds: 0 }, scaleDown: { stabilizationWindowSeconds: 300 } }) // biome-ignore format: one claim
    const everything = get('everything').find('HorizontalPodAutoscaler', 'ledger-streamledger-api').spec
    expect(everything.metrics).toMatchObject([{ type: 'Resource' }, { type: 'Pods' }])
  })

  test('there are never more relays than partitions, and never no exporter', async () => {
    expect(scaledOf('existing-claim', 'relay')).toMatchObject({ minReplicaCount: 2, maxReplicaCount: 12 })
    expect(scaledOf('everything', 'relay')).toMatchObject({ maxReplicaCount: 6 })
    const grown = await renderChart(tools().helm, 'existing-claim', 'topic.partitions=48')
    expect(grown.find('ScaledObject', 'ledger-streamledger-relay').spec).toMatchObject({ maxReplicaCount: 48 })
    expect(scaledOf('existing-claim', 'exporter').minReplicaCount).toBe(1)
  })

  test('an exporter is for as many exports as it writes at once', async () => {
    expect(scaledOf('everything', 'exporter').triggers[0].metadata.threshold).toBe('4')
    const usual = scaledOf('existing-claim', 'exporter').triggers[0].metadata.threshold
    expect(usual).toBe(String(SERVICES.exporter.properties.EXPORTER_CONCURRENCY?.default))
  })

  test('without an answer of Prometheus the fixed number of replicas holds', () => {
    for (const name of ['relay', 'exporter']) {
      expect(scaledOf('everything', name).fallback.replicas).toBe(2)
      expect(scaledOf('everything', name).triggers[0].metadata.ignoreNullValues).toBe('false')
    }
  })

  test('what KEDA asks Prometheus for is told by somebody, of this installation', async () => {
    for (const of of ['everything', 'existing-claim']) {
      for (const name of ['relay', 'exporter']) {
        const query = queryOf(of, name)
        const selectors = listSelectors(query)
        expect(selectors.length).toBeGreaterThan(0)
        for (const { matchers } of selectors) {
          const job = { job: { operator: '=', value: `streamledger-${name}` } }
          const namespace = { namespace: { operator: '=', value: 'money' } }
          expect(matchers).toEqual(of === 'everything' ? { ...job, ...namespace } : job)
        }
        // The operator adds the namespace; docs/metrics.md has all the rest.
        expect(await findUnknown(query.replaceAll(', namespace="money"', ''), [])).toEqual([])
      }
    }
  })

  if (hasPrometheus) {
    test('replicas that tell the same are not counted twice, a database that is down not at all', {
      timeout: FETCH_TIMEOUT_MS,
    }, async () => {
      const { promtool } = await preparePrometheus()
      const folder = mkdtempSync(join(tmpdir(), 'streamledger-scaling-'))
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
      const series = (
        service: string,
        name: string,
        instance: string,
        values: string,
        labels = '',
        namespace = 'money',
      ) => ({
        series: `${name}{job="streamledger-${service}", namespace="${namespace}", instance="${instance}"${labels}}`,
        values,
      })
      const rows = (instance: string, partition: number, values: string, namespace = 'money') =>
        series('relay', 'streamledger_outbox_rows', instance, values, `, partition="${partition}"`, namespace)
      const input_series = [
        // Two relays, each of which tells of both partitions; the second has looked a moment earlier.
        ...[rows('a', 0, '700'), rows('a', 1, '10000'), rows('b', 0, '650'), rows('b', 1, '9000')],
        rows('c', 0, '5000', 'elsewhere'),
        // Nine jobs wait, then the number is unknown; one exporter writes two exports, the other writes one.
        ...['a', 'b'].map((one) => series('exporter', 'streamledger_export_jobs_waiting', one, '9 -1')),
        series('exporter', 'streamledger_exports_running', 'a', '2 2'),
        series('exporter', 'streamledger_exports_running', 'b', '1 1'),
        series('exporter', 'streamledger_exports_running', 'c', '8 8', '', 'elsewhere'),
      ]
      const sample = (expr: string, eval_time: string, value: number) => ({ expr, eval_time, exp_samples: [{ labels: '{}', value }] }) // biome-ignore format: one expression
      const promql_expr_test = [
        sample(queryOf('everything', 'relay'), '0m', 10_700),
        sample(queryOf('everything', 'exporter'), '0m', 12),
        sample(queryOf('everything', 'exporter'), '1m', 3),
      ]
      // JSON is YAML.
      const tests = {
        rule_files: [],
        evaluation_interval: '1m',
        tests: [{ interval: '1m', input_series, promql_expr_test }],
      }
      writeFileSync(join(folder, 'test.yaml'), JSON.stringify(tests))
      const { stdout } = await promisify(execFile)(promtool, ['test', 'rules', 'test.yaml'], { cwd: folder }).catch(
        ({ stdout, stderr }) => {
          throw new Error(`${stdout}${stderr}`)
        },
      )
      expect(stdout).toContain('SUCCESS')
    })
  }
})
