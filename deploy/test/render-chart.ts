import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { type HelmTools, prepareHelm } from './helm-tools.ts'

export const CHART = resolve(import.meta.dirname, '../helm')
/** The values that the chart is tried with. */
export const CASES = readdirSync(resolve(CHART, 'ci')).map((name) => name.replace(/-values\.yaml$/, ''))
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const FETCH_TIMEOUT_MS = 400_000

export interface EnvVariable {
  name: string
  value?: string
  valueFrom?: { secretKeyRef: { name: string; key: string; optional?: boolean } }
}

interface Probe {
  httpGet: { path: string; port: string }
}

export interface Container {
  name: string
  image: string
  args: string[]
  command?: string[]
  env: EnvVariable[]
  ports?: { name: string; containerPort: number }[]
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
  resources: { requests: Record<string, string>; limits: Record<string, string> }
  securityContext: object
  volumeMounts: { name: string; mountPath: string }[]
}

export interface Pod {
  metadata: { labels: Record<string, string> }
  spec: {
    serviceAccountName: string
    automountServiceAccountToken: boolean
    enableServiceLinks: boolean
    terminationGracePeriodSeconds?: number
    securityContext: { runAsUser: number; runAsNonRoot: boolean; fsGroup: number; seccompProfile: { type: string } }
    containers: Container[]
    volumes: {
      name: string
      emptyDir?: object
      persistentVolumeClaim?: { claimName: string }
      secret?: { secretName: string }
    }[]
    imagePullSecrets?: { name: string }[]
  }
}

export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels: Record<string, string>; annotations?: Record<string, string> }
  spec: Record<string, unknown>
  data?: Record<string, string>
}

export interface Rendered {
  objects: KubernetesObject[]
  /** The object of that kind and name. */
  find(kind: string, name: string): KubernetesObject
  ofKind(kind: string): KubernetesObject[]
}

const run = (helm: string, args: readonly string[]) =>
  promisify(execFile)(helm, [...args], { maxBuffer: OUTPUT_BYTES_MAX })

/** Of a case, or any file. */
const valuesFile = (name: string): string => (name.endsWith('.yaml') ? name : resolve(CHART, `ci/${name}-values.yaml`))

/** What `helm install ledger -n money` would send to a cluster. */
export async function renderChart(helm: string, values: string | undefined, ...sets: string[]): Promise<Rendered> {
  const file = values === undefined ? [] : ['--values', valuesFile(values)]
  const flags = ['--namespace', 'money', '--kube-version', '1.37.0', ...sets.flatMap((set) => ['--set-json', set])]
  const { stdout } = await run(helm, ['template', 'ledger', CHART, ...file, ...flags])
  const objects = parseAllDocuments(stdout).flatMap((document) => (document.toJS() as KubernetesObject | null) ?? [])
  const ofKind = (kind: string): KubernetesObject[] => objects.filter((object) => object.kind === kind)
  return {
    objects,
    ofKind,
    find(kind, name) {
      const found = ofKind(kind).filter(({ metadata }) => metadata.name === name)
      if (found.length !== 1 || !found[0]) throw new Error(`${found.length} of ${kind} ${name}`)
      return found[0]
    },
  }
}

/** Renders every case once, before the tests of the caller. Use the result inside of tests only. */
export function renderCases(): { tools(): HelmTools; get(name: string): Rendered } {
  const rendered = new Map<string, Rendered>()
  let tools: HelmTools
  beforeAll(async () => {
    tools = await prepareHelm()
    await Promise.all(CASES.map(async (name) => rendered.set(name, await renderChart(tools.helm, name))))
  }, FETCH_TIMEOUT_MS)
  return { tools: () => tools, get: (name) => rendered.get(name) as Rendered }
}

/** What Helm says against values; it must say something. */
export async function refuse(helm: string, values: string | undefined, ...sets: string[]): Promise<string> {
  const error = await renderChart(helm, values, ...sets).then(
    () => undefined,
    (cause: { stderr: string }) => cause.stderr,
  )
  if (error === undefined) throw new Error(`taken: ${sets.join(' ')}`)
  return error
}

export async function lintChart(helm: string, values: string): Promise<string> {
  const { stdout } = await run(helm, ['lint', '--strict', CHART, '--values', valuesFile(values)])
  return stdout
}

/** What makes pods, by the name of its component: the services, the audit and the migration. */
export function listPods({ objects }: Rendered): Map<string, Pod> {
  const makers = objects.filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind))
  return new Map(
    makers.map(({ metadata, spec }) => [metadata.labels['app.kubernetes.io/component'] ?? '', spec.template as Pod]),
  )
}
