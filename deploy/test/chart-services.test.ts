import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { rootCertificates } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import { SET_BY_CHART } from '../src/chart-schema.ts'
import { CONFIG_FILES, SERVICES, type ServiceName } from '../src/env-example.ts'
import {
  CASES,
  CHART,
  type Container,
  type KubernetesObject,
  listPods,
  type Pod,
  type Rendered,
  renderCases,
} from './render-chart.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8')
const names = Object.keys(SERVICES) as ServiceName[]
const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  services: Record<string, { command: string[]; environment: Record<string, string | number> }>
}
const dockerfile = read('deploy/Dockerfile')
/** What is never in a value, only in a Secret that is named: as it may be there. */
const HELD: Record<string, string> = {
  DATABASE_URL: 'postgres://ledger:secret@postgres/ledger',
  API_DATABASE_URL: 'postgres://api:secret@postgres/ledger',
  RELAY_DATABASE_URL: 'postgres://relay:secret@postgres/ledger',
  EXPORTER_DATABASE_URL: 'postgres://exporter:secret@postgres/ledger',
  AUDIT_DATABASE_URL: 'postgres://audit:secret@postgres/ledger',
  JWT_SECRET: 'x'.repeat(32),
  JWT_SECRET_PREVIOUS: 'y'.repeat(32),
  EXPORT_S3_ACCESS_KEY_ID: 'key',
  EXPORT_S3_SECRET_ACCESS_KEY: 'secret',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=secret',
  KAFKA_SASL_USERNAME: 'relay',
  KAFKA_SASL_PASSWORD: 'secret',
}

async function writeCertificate(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'certificate-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'ca.crt')
  await writeFile(file, rootCertificates[0] ?? '')
  return file
}

describe('the chart', () => {
  const { get } = renderCases()

  /** Every pod of every case, with what makes it. */
  const eachPod = (): { of: string; name: string; pod: Pod; container: Container; all: Rendered }[] =>
    CASES.flatMap((of) =>
      [...listPods(get(of))].map(([name, pod]) => {
        const [container, ...others] = pod.spec.containers
        if (!container || others.length > 0) throw new Error(`${name} has ${others.length + 1} containers`)
        return { of, name, pod, container, all: get(of) }
      }),
    )
  const podOf = (of: string, name: string): { pod: Pod; container: Container } => {
    const found = eachPod().find((one) => one.of === of && one.name === name)
    if (!found) throw new Error(`${of} has no ${name}`)
    return found
  }
  const environmentOf = ({ env }: Container): Record<string, string> =>
    Object.fromEntries(env.map(({ name, value }) => [name, value ?? HELD[name] ?? '']))

  test('every service runs in every case, the audit and the migration where they are asked for', () => {
    const pods = Object.fromEntries(CASES.map((of) => [of, [...listPods(get(of)).keys()].sort()]))
    const services = ['api', 'exporter', 'relay']
    expect(pods).toEqual({
      everything: ['api', 'audit', 'exporter', 'migration', 'relay'],
      'existing-claim': [...services.slice(0, 2), 'migration', 'relay'],
      folder: services,
      minimal: [...services.slice(0, 2), 'migration', 'relay'],
    })
  })

  test('each service is told only variables that it reads, each once, and takes them', async () => {
    for (const { of, name, container } of eachPod().filter(({ name }) => name !== 'migration')) {
      const service = name as ServiceName
      const told = container.env.map((variable) => variable.name)
      expect({ of, name, unknown: told.filter((variable) => !(variable in SERVICES[service].properties)) }).toEqual({ of, name, unknown: [] }) // biome-ignore format: one claim
      expect(new Set(told).size).toBe(told.length)
      const config = await import(resolve(ROOT, CONFIG_FILES[service]))
      const load = config[`load${name[0]?.toUpperCase()}${name.slice(1)}Config`] as (env: NodeJS.ProcessEnv) => object
      // Whatever a service needs is there, or this throws; where it listens, others must reach it.
      const environment = environmentOf(container)
      // A file that is mounted there: any that is here.
      if (environment.KAFKA_TLS_CA_FILE) environment.KAFKA_TLS_CA_FILE = await writeCertificate()
      expect(JSON.stringify(load(environment))).toContain('"host":"0.0.0.0"')
    }
  })

  test('what may be set and what the chart sets are all variables of a service, with none left over', () => {
    const schema = JSON.parse(readFileSync(resolve(CHART, 'values.schema.json'), 'utf8'))
    for (const name of names) {
      const settable = Object.keys(schema.properties[name].properties.env.properties)
      const own = Object.keys(SERVICES[name].properties).filter((variable) => SET_BY_CHART.includes(variable))
      expect([...settable, ...own].sort()).toEqual(Object.keys(SERVICES[name].properties).sort())
      // With everything on, it does set what it says that it sets.
      const told = podOf('everything', name).container.env.map((variable) => variable.name)
      expect(own.filter((variable) => !told.includes(variable))).toEqual([])
    }
    const shared = Object.keys(schema.properties.env.properties)
    expect(shared).toContain('LOG_LEVEL')
    for (const name of ['api', 'relay', 'exporter'] as const) {
      expect(shared.filter((variable) => !(variable in SERVICES[name].properties))).toEqual([])
    }
  })

  test('who speaks to Kafka has the file that is said to be there, and nobody else', () => {
    for (const { of, name, pod, container } of eachPod()) {
      const file = environmentOf(container).KAFKA_TLS_CA_FILE
      const places = container.volumeMounts.map(({ mountPath }) => `${mountPath}/ca.crt`)
      const volumes = pod.spec.volumes.map((volume) => volume.name)
      const speaks = of === 'everything' && ['relay', 'audit'].includes(name)
      expect({ of, name, file }).toEqual({ of, name, file: speaks ? '/etc/streamledger/kafka/ca.crt' : undefined })
      expect(volumes.includes('kafka-ca')).toBe(speaks)
      if (file) expect(places).toContain(file)
    }
  })

  test('values are written as a person would write them, and a service’s own win', () => {
    const api = environmentOf(podOf('everything', 'api').container)
    expect(api).toMatchObject({ REFRESH_TOKEN_TTL_S: '2592000', LOG_LEVEL: 'info', STATEMENT_TIMEOUT_MS: '4000' })
    expect(api).toMatchObject({
      EXPORT_S3_PATH_STYLE: 'true',
      KAFKA_TOPIC: 'ledger.transactions',
      TOPIC_PARTITIONS: '24',
    })
    expect(environmentOf(podOf('everything', 'relay').container)).toMatchObject({
      LOG_LEVEL: 'debug',
      RELAY_BATCH_ROWS_MAX: '2000',
      TOPIC_REPLICATION_FACTOR: '3',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.observability:4318',
      OTEL_TRACES_SAMPLER_ARG: '0.05',
      KAFKA_BROKERS: 'kafka-0:9094,kafka-1:9094,kafka-2:9095',
    })
  })

  test('a secret is named, never written', () => {
    for (const { container } of eachPod()) {
      for (const { name, value, valueFrom } of container.env) {
        const isSecret = name in HELD
        expect({ name, named: valueFrom !== undefined, written: value !== undefined }).toEqual({ name, named: isSecret, written: !isSecret }) // biome-ignore format: one claim
      }
    }
    const named = ({ env }: Container): object =>
      Object.fromEntries(env.flatMap(({ name, valueFrom }) => (valueFrom ? [[name, valueFrom.secretKeyRef]] : [])))
    expect(named(podOf('everything', 'api').container)).toEqual({
      DATABASE_URL: { name: 'streamledger-database', key: 'for-the-api' },
      JWT_SECRET: { name: 'streamledger-jwt', key: 'JWT_SECRET' },
      JWT_SECRET_PREVIOUS: { name: 'streamledger-jwt', key: 'JWT_SECRET_PREVIOUS' },
      EXPORT_S3_ACCESS_KEY_ID: { name: 'streamledger-s3', key: 'EXPORT_S3_ACCESS_KEY_ID' },
      EXPORT_S3_SECRET_ACCESS_KEY: { name: 'streamledger-s3', key: 'EXPORT_S3_SECRET_ACCESS_KEY' },
      OTEL_EXPORTER_OTLP_HEADERS: { name: 'streamledger-otlp', key: 'OTEL_EXPORTER_OTLP_HEADERS' },
    })
  })

  test('each service has the address of its own role, and only the migration that of the owner', () => {
    const named = (of: string, name: string): object =>
      Object.fromEntries(
        podOf(of, name).container.env.flatMap(({ name, valueFrom }) =>
          name.endsWith('DATABASE_URL') ? [[name, valueFrom?.secretKeyRef]] : [],
        ),
      )
    const key = (key: string): object => ({ name: 'streamledger-database', key })
    for (const name of ['api', 'relay', 'exporter']) {
      expect(named('minimal', name)).toEqual({ DATABASE_URL: key(`${name.toUpperCase()}_DATABASE_URL`) })
      expect(named('existing-claim', name)).toEqual({ DATABASE_URL: key('DATABASE_URL') })
    }
    expect(named('everything', 'audit')).toEqual({ DATABASE_URL: key('AUDIT_DATABASE_URL') })
    // Optional: the program says which one is missing, where Kubernetes would wait for it without end.
    const granted = (key: string): object => ({ name: 'streamledger-database', key, optional: true })
    expect(named('everything', 'migration')).toEqual({
      DATABASE_URL: key('owner'),
      API_DATABASE_URL: granted('for-the-api'),
      RELAY_DATABASE_URL: granted('RELAY_DATABASE_URL'),
      EXPORTER_DATABASE_URL: granted('EXPORTER_DATABASE_URL'),
      AUDIT_DATABASE_URL: granted('AUDIT_DATABASE_URL'),
    })
    expect(podOf('minimal', 'migration').container.args).toContain('--grants')
    expect(named('existing-claim', 'migration')).toEqual({ DATABASE_URL: key('DATABASE_URL') })
    expect(podOf('existing-claim', 'migration').container.args).not.toContain('--grants')
  })

  test('commands and ops ports are those of docker-compose.yml, and arguments of the image’s own entry', () => {
    for (const { of, name, container } of eachPod()) {
      const { command, environment } = compose.services[name === 'migration' ? 'migrate' : name] ?? {}
      const hasOneRole = of === 'existing-claim' && name === 'migration'
      expect({ name, args: container.args, command: container.command }).toEqual({
        name,
        args: hasOneRole ? command?.slice(0, -1) : command,
        command: undefined,
      })
      const ports = Object.fromEntries((container.ports ?? []).map((port) => [port.name, port.containerPort]))
      const told = environmentOf(container)
      if (name === 'migration') expect(ports).toEqual({})
      else expect(ports).toEqual({ ops: environment?.OPS_PORT, ...(name === 'api' ? { http: environment?.PORT } : {}) })
      if (ports.ops) expect(told.OPS_PORT).toBe(String(ports.ops))
      if (ports.http) expect(told.PORT).toBe(String(ports.http))
    }
  })

  test('nobody is root, has a capability, speaks with Kubernetes or can write anywhere but where it must', () => {
    // The user `node` of the official image has this number; a volume is handed to its group.
    expect(dockerfile).toContain('\nUSER node\n')
    const security = { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000, seccompProfile: { type: 'RuntimeDefault' } } // biome-ignore format: one claim
    for (const { pod, container, all } of eachPod()) {
      expect(pod.spec.securityContext).toMatchObject(security)
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(pod.spec.automountServiceAccountToken).toBe(false)
      expect(pod.spec.enableServiceLinks).toBe(false)
      const accounts = all.ofKind('ServiceAccount') as (KubernetesObject & {
        automountServiceAccountToken: boolean
      })[]
      for (const account of accounts) expect(account.automountServiceAccountToken).toBe(false)
      expect(Object.keys(container.resources.requests)).toEqual(['cpu', 'memory'])
      expect(Object.keys(container.resources.limits)).toEqual(['memory'])
    }
  })

  test('what a service writes is a volume: its memory for scraps, the files of exports, the audit’s state', () => {
    const audit = get('everything').find('StatefulSet', 'ledger-streamledger-audit')
    const claims = audit.spec.volumeClaimTemplates as { metadata: { name: string } }[]
    for (const { of, name, pod, container } of eachPod()) {
      const mounts = Object.fromEntries(container.volumeMounts.map((mount) => [mount.name, mount.mountPath]))
      const volumes = [...pod.spec.volumes, ...(name === 'audit' ? claims.map(({ metadata }) => metadata) : [])]
      expect(Object.keys(mounts).sort()).toEqual(volumes.map((volume) => volume.name).sort())
      expect(mounts.tmp).toBe('/tmp')
      const authority = pod.spec.volumes.find((volume) => volume.name === 'database-ca')?.secret?.secretName
      expect({ of, name, authority }).toEqual({
        of,
        name,
        authority: of === 'everything' ? 'database-ca' : undefined,
      })
      const told = environmentOf(container)
      if (name === 'exporter') expect(told.EXPORT_DIR).toBe(mounts.exports)
      if (name === 'audit') expect(told.AUDIT_STATE_FILE).toBe(`${mounts.state}/audit.db`)
    }
  })

  test('in a folder, API and exporter share one claim; with S3 the exporter has its own disk and the API none', () => {
    const exportsOf = (of: string, name: string) =>
      podOf(of, name).pod.spec.volumes.find((volume) => volume.name === 'exports')
    for (const [of, claimName] of [
      ['folder', 'ledger-exports'],
      ['existing-claim', 'exports'],
    ] as const) {
      // biome-ignore format: two cases
      for (const name of ['api', 'exporter']) {
          expect(exportsOf(of, name)).toEqual({ name: 'exports', persistentVolumeClaim: { claimName } })
          expect(environmentOf(podOf(of, name).container)).toMatchObject({ EXPORT_STORE: 'folder' })
          expect(podOf(of, name).container.volumeMounts).toContainEqual({ name: 'exports', mountPath: '/var/lib/streamledger/exports' }) // biome-ignore format: one claim
        }
    }
    const claim = get('folder').find('PersistentVolumeClaim', 'ledger-exports')
    expect(claim.spec).toMatchObject({ accessModes: ['ReadWriteMany'], storageClassName: 'nfs' })
    expect(claim.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
    expect(get('existing-claim').ofKind('PersistentVolumeClaim')).toEqual([])
    expect(exportsOf('minimal', 'exporter')).toEqual({ name: 'exports', emptyDir: { sizeLimit: '2Gi' } })
    expect(exportsOf('minimal', 'api')).toBeUndefined()
  })

  test('Kubernetes asks what the ops server answers', () => {
    const ops = read('packages/runtime/src/ops-server.ts')
    const asked = eachPod().flatMap(({ name, container }) => {
      const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe]
      if (name === 'migration') expect(probes).toEqual([undefined, undefined, undefined])
      return name === 'migration' ? [] : [probes.map((probe) => probe?.httpGet)]
    })
    expect(asked.length).toBeGreaterThan(0)
    const live = { path: '/health/live', port: 'ops' }
    for (const probes of asked) expect(probes).toEqual([live, live, { path: '/health/ready', port: 'ops' }])
    for (const path of [live.path, '/health/ready', '/metrics']) expect(ops).toContain(`case '${path}':`)
  })

  test('a service has the time for its own stop, and the API serves on until nobody is sent to it', () => {
    for (const { pod, container } of eachPod().filter(({ name }) => name !== 'migration')) {
      const drainS = Number(environmentOf(container).DRAIN_TIMEOUT_MS ?? 0) / 1_000
      expect(pod.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(drainS + 5)
    }
    expect(podOf('everything', 'api').pod.spec.terminationGracePeriodSeconds).toBe(21 + 5)
    const usual = environmentOf(podOf('minimal', 'api').container)
    expect(usual).toMatchObject({ DRAIN_DELAY_MS: '5000', DRAIN_TIMEOUT_MS: '15000' })
    expect(environmentOf(podOf('folder', 'api').container)).toMatchObject({ DRAIN_DELAY_MS: '0' })
  })

  test('the migration runs before all else, on nothing that is not there yet', () => {
    for (const of of CASES.filter((name) => name !== 'folder')) {
      const { objects, find } = get(of)
      const job = find('Job', 'ledger-streamledger-migration')
      const hook = 'pre-install,pre-upgrade'
      expect(job.metadata.annotations).toMatchObject({ 'helm.sh/hook': hook })
      const hooks = objects.filter(({ metadata }) => metadata.annotations?.['helm.sh/hook'] !== undefined)
      const weightOf = ({ metadata }: KubernetesObject) => Number(metadata.annotations?.['helm.sh/hook-weight'])
      const { pod, container } = podOf(of, 'migration')
      const account = find('ServiceAccount', pod.spec.serviceAccountName)
      const policy = find('NetworkPolicy', 'ledger-streamledger-migration')
      for (const needed of [account, policy]) {
        expect(hooks).toContain(needed)
        expect(weightOf(needed)).toBeLessThan(weightOf(job))
      }
      // Once it has succeeded nothing of it is left behind: what is a hook, an uninstallation does not know.
      for (const { metadata } of hooks) {
        expect(metadata.annotations?.['helm.sh/hook-delete-policy']).toBe('before-hook-creation,hook-succeeded')
      }
      // No ConfigMap, Secret or claim of the chart's own.
      expect(container.env.filter(({ name }) => !name.endsWith('DATABASE_URL'))).toEqual([])
      const others = pod.spec.volumes.filter(({ name }) => !['tmp', 'database-ca'].includes(name))
      expect(others).toEqual([])
      expect(job.spec.template).toMatchObject({ spec: { restartPolicy: 'Never' } })
    }
  })

  test('the image is the one that was named, by its digest where there is one', () => {
    const imageOf = (of: string) =>
      new Set(
        eachPod()
          .filter((one) => one.of === of)
          .map(({ container }) => container.image),
      )
    const { version } = JSON.parse(read('package.json'))
    expect([...imageOf('minimal')]).toEqual([`registry.example/streamledger:${version}`])
    expect([...imageOf('folder')]).toEqual(['registry.example/streamledger:1.2.3'])
    expect([...imageOf('everything')]).toEqual([`registry.example/streamledger@sha256:${'0'.repeat(64)}`])
    for (const { pod } of eachPod().filter(({ of }) => of === 'everything')) {
      expect(pod.spec.imagePullSecrets).toEqual([{ name: 'registry' }])
    }
  })
})
