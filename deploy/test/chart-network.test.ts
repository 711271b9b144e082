import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CASES, type KubernetesObject, listPods, renderCases } from './render-chart.ts'

const prometheusFile = readFileSync(resolve(import.meta.dirname, '../prometheus/prometheus.yml'), 'utf8')
const { scrape_configs } = parse(prometheusFile) as { scrape_configs: { job_name: string }[] }
const INSTANCE = { 'app.kubernetes.io/name': 'streamledger', 'app.kubernetes.io/instance': 'ledger' }

interface IngressRule {
  http: { paths: { backend: { service: { name: string; port: object } } }[] }
}

interface Rule {
  ports: { protocol: string; port: string | number }[]
  from?: object[]
  to?: object[]
}

describe('the chart', () => {
  const { get } = renderCases()

  /** The components whose pods have these labels. */
  const selectedBy = (of: string, labels: Record<string, string>): string[] =>
    [...listPods(get(of))]
      .filter(([, pod]) => Object.entries(labels).every(([name, value]) => pod.metadata.labels[name] === value))
      .map(([name]) => name)
  const matchLabelsOf = ({ kind, spec }: KubernetesObject): Record<string, string> => {
    if (kind === 'Service') return spec.selector as Record<string, string>
    const selector = (spec.podSelector ?? spec.selector) as { matchLabels: Record<string, string> }
    return selector.matchLabels
  }

  test('whatever selects pods selects those of its own component, and of no other', () => {
    const kinds = ['Deployment', 'StatefulSet', 'Service', 'NetworkPolicy', 'PodDisruptionBudget']
    for (const of of CASES) {
      for (const object of get(of).objects.filter(({ kind }) => kinds.includes(kind))) {
        const component = object.metadata.labels['app.kubernetes.io/component']
        expect({ of, object: object.metadata.name, selected: selectedBy(of, matchLabelsOf(object)) }).toEqual({ of, object: object.metadata.name, selected: [component] }) // biome-ignore format: one claim
      }
    }
  })

  test('a Service leads to a port that its pods have, and the Ingress to a Service', () => {
    for (const of of CASES) {
      for (const { metadata, spec } of get(of).ofKind('Service')) {
        const pod = listPods(get(of)).get(metadata.labels['app.kubernetes.io/component'] ?? '')
        const has = (pod?.spec.containers ?? []).flatMap(({ ports = [] }) => ports.map(({ name }) => name))
        for (const { targetPort } of spec.ports as { targetPort: string }[]) expect(has).toContain(targetPort)
      }
    }
    const ingress = get('everything').find('Ingress', 'ledger-streamledger-api')
    const [rule] = ingress.spec.rules as IngressRule[]
    const { name, port } = rule?.http.paths[0]?.backend.service ?? { name: '', port: {} }
    expect(get('everything').find('Service', name).spec.ports).toMatchObject([port])
    expect(get('minimal').ofKind('Ingress')).toEqual([])
  })

  test('Prometheus finds every replica, also one that is not ready, under the name that the alerts go by', () => {
    const { spec } = get('everything').find('ServiceMonitor', 'ledger-streamledger')
    const { jobLabel, selector, endpoints } = spec as {
      jobLabel: string
      selector: { matchLabels: object; matchExpressions: { key: string; operator: string }[] }
      endpoints: { port: string; path: string; honorLabels: boolean }[]
    }
    expect(selector).toEqual({ matchLabels: INSTANCE, matchExpressions: [{ key: jobLabel, operator: 'Exists' }] })
    // The operator gives each target a label `service`, and ours is what the alerts ask for.
    expect(endpoints).toMatchObject([{ port: 'ops', path: '/metrics', honorLabels: true }])
    const found = get('everything')
      .ofKind('Service')
      .filter(({ metadata }) => jobLabel in metadata.labels)
    for (const { metadata, spec } of found) {
      expect(metadata.labels).toMatchObject(INSTANCE)
      expect(spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true, ports: [{ name: 'ops' }] })
    }
    const jobs = found.map(({ metadata }) => metadata.labels[jobLabel])
    expect(jobs.sort()).toEqual(scrape_configs.map(({ job_name }) => job_name).sort())
  })

  const rulesOf = (of: string, name: string): { ingress: Rule[]; egress: Rule[]; policyTypes: string[] } => {
    const { spec } = get(of).find('NetworkPolicy', `ledger-streamledger-${name}`)
    return spec as unknown as { ingress: Rule[]; egress: Rule[]; policyTypes: string[] }
  }
  const namespace = (name: string) => [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } }]

  test('clients come in through the ingress controller, Prometheus to the ops port, and nobody else', () => {
    const ops = { ports: [{ protocol: 'TCP', port: 'ops' }], from: namespace('monitoring') }
    const http = { ports: [{ protocol: 'TCP', port: 'http' }], from: namespace('ingress-nginx') }
    expect(rulesOf('everything', 'api').ingress).toEqual([ops, http])
    for (const name of ['relay', 'exporter', 'audit']) expect(rulesOf('everything', name).ingress).toEqual([ops])
    expect(rulesOf('everything', 'migration').ingress).toBeUndefined()
    for (const name of ['api', 'relay', 'exporter', 'audit', 'migration']) {
      expect(rulesOf('everything', name).policyTypes).toEqual(['Ingress', 'Egress'])
    }
  })

  test('each service reaches what it needs, and nothing else', () => {
    const portsOf = (of: string, name: string) =>
      rulesOf(of, name).egress.map(({ ports }) => ports.map(({ protocol, port }) => `${protocol} ${port}`).join(' '))
    const dns = 'UDP 53 TCP 53'
    const postgres = 'TCP 5432 TCP 6432'
    expect(portsOf('everything', 'api')).toEqual([dns, postgres, 'TCP 9000', 'TCP 4318'])
    expect(portsOf('everything', 'exporter')).toEqual([dns, postgres, 'TCP 9000', 'TCP 4318'])
    expect(portsOf('everything', 'relay')).toEqual([dns, postgres, 'TCP 9094 TCP 9095', 'TCP 4318'])
    expect(portsOf('everything', 'audit')).toEqual([dns, postgres, 'TCP 9094 TCP 9095'])
    expect(portsOf('everything', 'migration')).toEqual([dns, postgres])
    // Ports that are not set come from the addresses, or from their scheme.
    expect(portsOf('minimal', 'exporter')).toEqual([dns, 'TCP 5432', 'TCP 443'])
    expect(portsOf('minimal', 'relay')).toEqual([dns, 'TCP 5432', 'TCP 9092'])
    // No S3, no way to it.
    expect(portsOf('existing-claim', 'api')).toEqual([dns, 'TCP 5432', 'TCP 443 TCP 4318'])
    expect(rulesOf('everything', 'relay').egress[1]?.to).toEqual([{ ipBlock: { cidr: '10.1.0.0/16' } }])
    expect(rulesOf('everything', 'relay').egress[2]?.to).toBeUndefined()
  })

  test('an empty list of peers means anybody, and the whole of it can be turned off', () => {
    const [ops, http] = rulesOf('existing-claim', 'api').ingress
    expect([ops?.from, http?.from]).toEqual([undefined, undefined])
    expect(get('folder').ofKind('NetworkPolicy')).toEqual([])
  })
})
