// Prints the schema of the chart's values, deploy/helm/values.schema.json. Only the values named here may be set. The
// variables of the services come from their own configurations.
import { SERVICES, type ServiceName } from './env-example.ts'

export type JsonSchema = Record<string, unknown>

/** Variables that the chart itself sets: from other values, from Secrets, or because its templates need them. */
export const SET_BY_CHART: readonly string[] = [
  ...['DATABASE_URL', 'HOST', 'PORT', 'OPS_PORT', 'DRAIN_DELAY_MS', 'DRAIN_TIMEOUT_MS', 'AUDIT_STATE_FILE'],
  ...['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_HEADERS'],
  ...['INSTALLATION_ID', 'KAFKA_TOPIC', 'TOPIC_PARTITIONS', 'TOPIC_REPLICATION_FACTOR', 'KAFKA_BROKERS'],
  ...['KAFKA_TLS', 'KAFKA_TLS_CA_FILE', 'KAFKA_SASL_MECHANISM', 'KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'],
  ...['EXPORT_STORE', 'EXPORT_DIR', 'EXPORT_S3_BUCKET', 'EXPORT_S3_REGION', 'EXPORT_S3_ENDPOINT'],
  ...['EXPORT_S3_PATH_STYLE', 'EXPORT_S3_ACCESS_KEY_ID', 'EXPORT_S3_SECRET_ACCESS_KEY'],
]

const REPLICAS_MAX = 1_000
/** 63 characters without the longest suffix of an object's name; the same number is in templates/_helpers.tpl. */
const NAME_LENGTH_MAX = 45
const PORT = integer(1, 65_535)
const BOOLEAN: JsonSchema = { type: 'boolean' }
const TEXT: JsonSchema = { type: 'string' }
const NAME: JsonSchema = { type: 'string', minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' }
const NAME_OR_EMPTY: JsonSchema = { type: 'string', maxLength: 253, pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$' }
const KEY: JsonSchema = { type: 'string', pattern: '^[-._a-zA-Z0-9]+$' }
const KEY_OR_EMPTY: JsonSchema = { type: 'string', pattern: '^[-._a-zA-Z0-9]*$' }
const QUANTITY: JsonSchema = { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$' }
/** Parts of objects that Kubernetes itself checks. */
const OBJECT: JsonSchema = { type: 'object' }
const OBJECTS: JsonSchema = { type: 'array', items: OBJECT }
const TEXTS: JsonSchema = { type: 'object', additionalProperties: TEXT }

function integer(minimum: number, maximum?: number): JsonSchema {
  return { type: 'integer', minimum, ...(maximum === undefined ? {} : { maximum }) }
}

/** An object with only these members. */
function object(properties: Record<string, JsonSchema>, required: readonly string[] = []): JsonSchema {
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false }
}

/** Turns a union of constants into an enumeration, whose error messages are easier to read. Helm knows no format of ours. */
function simplify({ anyOf, format: _, ...rest }: JsonSchema): JsonSchema {
  if (!Array.isArray(anyOf)) return rest
  const choices = anyOf.map(({ const: choice }: { const: unknown }) => choice)
  // Also accept YAML's true and false.
  const booleans = choices.every((choice) => choice === 'true' || choice === 'false') ? [true, false] : []
  return { ...rest, enum: [...choices, ...booleans] }
}

function listSettable(service: ServiceName): [string, JsonSchema][] {
  return Object.entries(SERVICES[service].properties)
    .filter(([name]) => !SET_BY_CHART.includes(name))
    .map(([name, schema]) => [name, simplify({ ...schema })])
}

/** Variables of one service. */
function env(service: ServiceName): JsonSchema {
  return object(Object.fromEntries(listSettable(service)))
}

/** Variables that all three services read. */
function sharedEnv(): JsonSchema {
  const others = [listSettable('relay'), listSettable('exporter')].map((list) => list.map(([name]) => name))
  return object(
    Object.fromEntries(listSettable('api').filter(([name]) => others.every((names) => names.includes(name)))),
  )
}

const BEHAVIOR = object({ scaleUp: OBJECT, scaleDown: OBJECT })
const RESOURCES = (() => {
  const amounts = object({ cpu: QUANTITY, memory: QUANTITY, 'ephemeral-storage': QUANTITY })
  return object({ requests: amounts, limits: amounts })
})()
const PLACE = { nodeSelector: TEXTS, tolerations: OBJECTS }

function workload(service: ServiceName, more: Record<string, JsonSchema>): JsonSchema {
  return object({
    env: env(service),
    resources: RESOURCES,
    serviceAccount: object({ create: BOOLEAN, name: NAME_OR_EMPTY, annotations: TEXTS }),
    podAnnotations: TEXTS,
    podLabels: TEXTS,
    ...PLACE,
    affinity: OBJECT,
    priorityClassName: NAME_OR_EMPTY,
    ...more,
  })
}

function deployment(service: ServiceName, more: Record<string, JsonSchema>): JsonSchema {
  return workload(service, {
    replicas: integer(1, REPLICAS_MAX),
    topologySpreadConstraints: OBJECTS,
    podDisruptionBudget: object({
      enabled: BOOLEAN,
      // With 0, no node could be drained.
      maxUnavailable: { anyOf: [integer(1), { type: 'string', pattern: '^([1-9]|[1-9][0-9]|100)%$' }] },
    }),
    ...more,
  })
}

const API = deployment('api', {
  autoscaling: object({
    enabled: BOOLEAN,
    minReplicas: integer(1, REPLICAS_MAX),
    maxReplicas: integer(1, REPLICAS_MAX),
    targetCPUUtilizationPercentage: integer(1, 1_000),
    metrics: OBJECTS,
    behavior: BEHAVIOR,
  }),
  drainDelayMs: { ...SERVICES.api.properties.DRAIN_DELAY_MS },
  service: object({
    type: { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] },
    port: PORT,
    annotations: TEXTS,
  }),
})

const RELAY = deployment('relay', {
  autoscaling: object({
    minReplicas: integer(1, REPLICAS_MAX),
    maxReplicas: integer(0, REPLICAS_MAX),
    rowsPerReplica: integer(1),
    behavior: BEHAVIOR,
  }),
})

const EXPORTER = deployment('exporter', {
  autoscaling: object({
    minReplicas: integer(1, REPLICAS_MAX),
    maxReplicas: integer(1, REPLICAS_MAX),
    behavior: BEHAVIOR,
  }),
})

const AUDIT = workload('audit', {
  enabled: BOOLEAN,
  storage: object({ size: QUANTITY, storageClassName: NAME_OR_EMPTY }),
})

const MIGRATION = object({
  enabled: BOOLEAN,
  existingSecret: NAME_OR_EMPTY,
  key: KEY,
  backoffLimit: integer(0, 100),
  activeDeadlineSeconds: integer(1),
  resources: RESOURCES,
  podAnnotations: TEXTS,
  ...PLACE,
})

function exportsSchema(): JsonSchema {
  const s3 = SERVICES.api.properties
  return object({
    store: { enum: ['s3', 'folder'] },
    s3: object({
      bucket: { type: 'string', maxLength: 63, pattern: '^([a-z0-9][-a-z0-9.]+[a-z0-9])?$' },
      region: { ...s3.EXPORT_S3_REGION },
      endpoint: { type: 'string', pattern: '^(https?://.+)?$' },
      pathStyle: BOOLEAN,
      existingSecret: NAME_OR_EMPTY,
      accessKeyIdKey: KEY,
      secretAccessKeyKey: KEY,
      draftsSizeLimit: QUANTITY,
    }),
    folder: object({ existingClaim: NAME_OR_EMPTY, size: QUANTITY, storageClassName: NAME_OR_EMPTY }),
  })
}

function networkPolicy(): JsonSchema {
  const ports = { type: 'array', items: PORT }
  const place = object({ to: OBJECTS, ports: { ...ports, minItems: 1 } })
  // Without ports, the ports of the addresses are used.
  const addressed = object({ to: OBJECTS, ports })
  const places = { dns: place, postgres: place, kafka: addressed, s3: addressed, otlp: addressed }
  return object({ enabled: BOOLEAN, ingressControllers: OBJECTS, prometheus: OBJECTS, ...places })
}

const KEDA = object({
  enabled: BOOLEAN,
  pollingIntervalSeconds: integer(1, 3_600),
  prometheus: object({
    serverAddress: { type: 'string', pattern: '^https?://.+' },
    namespaceLabel: { type: 'string', pattern: '^([a-zA-Z_][a-zA-Z0-9_]*)?$' },
    authentication: NAME_OR_EMPTY,
  }),
})

const IMAGE = object(
  {
    repository: { type: 'string', pattern: '^[a-z0-9][-a-z0-9._/:]*$' },
    tag: { type: 'string', pattern: '^([a-zA-Z0-9_][-a-zA-Z0-9._]*)?$' },
    digest: { type: 'string', pattern: '^(sha256:[a-f0-9]{64})?$' },
    pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
    pullSecrets: { type: 'array', items: object({ name: NAME }, ['name']) },
  },
  ['repository'],
)

function monitoring(): Record<string, JsonSchema> {
  return {
    serviceMonitor: object({
      enabled: BOOLEAN,
      interval: { type: 'string', pattern: '^[1-9][0-9]*(s|m)$' },
      labels: TEXTS,
    }),
    prometheusRule: object({
      enabled: BOOLEAN,
      labels: TEXTS,
      runbookBaseUrl: { type: 'string', pattern: '^(https?://.+)?$' },
    }),
    dashboards: object({ enabled: BOOLEAN, labels: TEXTS, annotations: TEXTS }),
  }
}

const KAFKA = object(
  {
    brokers: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^[^\\s,:]+:[0-9]+$' } },
    tls: object({ enabled: BOOLEAN, caSecret: NAME_OR_EMPTY }),
    sasl: object({
      mechanism: { enum: ['', 'plain', 'scram-sha-256', 'scram-sha-512'] },
      ...{ existingSecret: NAME_OR_EMPTY, usernameKey: KEY, passwordKey: KEY },
    }),
  },
  ['brokers'],
)

function topicSchema(): JsonSchema {
  const { KAFKA_TOPIC, TOPIC_PARTITIONS, TOPIC_REPLICATION_FACTOR } = SERVICES.relay.properties
  return object({
    name: { ...KAFKA_TOPIC },
    partitions: { ...TOPIC_PARTITIONS },
    replicationFactor: { ...TOPIC_REPLICATION_FACTOR },
  })
}

export function chartSchema(): JsonSchema {
  const properties = {
    nameOverride: { type: 'string', maxLength: NAME_LENGTH_MAX, pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$' },
    fullnameOverride: { type: 'string', maxLength: NAME_LENGTH_MAX, pattern: '^([a-z]([-a-z0-9]*[a-z0-9])?)?$' },
    image: IMAGE,
    installationId: { ...SERVICES.api.properties.INSTALLATION_ID },
    topic: topicSchema(),
    kafka: KAFKA,
    database: object(
      {
        ...{ existingSecret: NAME, key: KEY, caSecret: NAME_OR_EMPTY, rolePerService: BOOLEAN },
        roleKeys: object({ api: KEY, relay: KEY, exporter: KEY, audit: KEY }),
      },
      ['existingSecret'],
    ),
    jwt: object({ existingSecret: NAME, key: KEY, previousKey: KEY_OR_EMPTY }, ['existingSecret']),
    exports: exportsSchema(),
    drainTimeoutMs: { ...SERVICES.api.properties.DRAIN_TIMEOUT_MS },
    env: sharedEnv(),
    tracing: object({
      endpoint: { type: 'string', pattern: '^(https?://[^/].*)?$' },
      existingSecret: NAME_OR_EMPTY,
      headersKey: KEY,
    }),
    migration: MIGRATION,
    api: API,
    ingress: object({
      ...{ enabled: BOOLEAN, className: NAME_OR_EMPTY, annotations: TEXTS, tls: OBJECTS },
      hosts: { type: 'array', items: NAME },
    }),
    relay: RELAY,
    exporter: EXPORTER,
    audit: AUDIT,
    keda: KEDA,
    networkPolicy: networkPolicy(),
    ...monitoring(),
    // Helm's own value, for charts that include this chart.
    global: OBJECT,
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: "Values of StreamLedger's chart. Written by deploy/src/chart-schema.ts.",
    ...object(properties, ['image', 'installationId', 'kafka', 'database', 'jwt']),
  }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(chartSchema(), undefined, 2)}\n`)
