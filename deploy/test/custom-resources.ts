// The kinds that are not Kubernetes' own, written by hand: their makers' definitions are in no package that could be pinned
// here. Only the members that the chart sets are in them, so that a misspelt one is refused; each was looked up in the
// definitions of KEDA 2.17 and of the Prometheus operator 0.82.

const text = { type: 'string', minLength: 1 }
const count = { type: 'integer', minimum: 0 }

const closed = (properties: Record<string, unknown>, required: string[] = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

const kind = (apiVersion: string, name: string, spec: unknown) =>
  closed({
    apiVersion: { const: apiVersion },
    kind: { const: name },
    metadata: {
      $ref: 'https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta',
    },
    spec,
  })

const BEHAVIOR = {
  $ref: 'https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior',
}

const scaledObject = closed({
  scaleTargetRef: closed({ name: text }),
  pollingInterval: count,
  minReplicaCount: count,
  maxReplicaCount: count,
  fallback: closed({ failureThreshold: count, replicas: count }),
  advanced: closed({ horizontalPodAutoscalerConfig: closed({ behavior: BEHAVIOR }) }),
  triggers: {
    type: 'array',
    minItems: 1,
    items: closed(
      {
        type: { const: 'prometheus' },
        metricType: { enum: ['AverageValue', 'Value'] },
        // Of all scalers the metadata are texts.
        metadata: closed({
          serverAddress: text,
          query: text,
          threshold: text,
          ignoreNullValues: { enum: ['true', 'false'] },
        }),
        authenticationRef: closed({ name: text }),
      },
      ['type', 'metadata'],
    ),
  },
})

const serviceMonitor = closed({
  jobLabel: text,
  selector: {
    $ref: 'https://kubernetes.io/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector',
  },
  endpoints: {
    type: 'array',
    minItems: 1,
    items: closed({ port: text, path: text, interval: text, honorLabels: { type: 'boolean' } }),
  },
})

const rule = closed(
  {
    alert: text,
    record: text,
    expr: text,
    for: text,
    labels: { type: 'object', additionalProperties: text },
    annotations: { type: 'object', additionalProperties: text },
  },
  ['expr'],
)
const prometheusRule = closed({
  groups: { type: 'array', minItems: 1, items: closed({ name: text, rules: { type: 'array', items: rule } }) },
})

export const CUSTOM_RESOURCES = [
  kind('keda.sh/v1alpha1', 'ScaledObject', scaledObject),
  kind('monitoring.coreos.com/v1', 'ServiceMonitor', serviceMonitor),
  kind('monitoring.coreos.com/v1', 'PrometheusRule', prometheusRule),
] as const
