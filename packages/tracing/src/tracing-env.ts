import { validateHeaderName, validateHeaderValue } from 'node:http'
import Type, { type Static } from 'typebox'

const PAIRS = '^\\s*[^=,\\s]+\\s*=[^,]*(,\\s*[^=,\\s]+\\s*=[^,]*)*$'
const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

/** The variables of OpenTelemetry that are supported. */
export const tracingEnv = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({
      format: 'http-url',
      examples: ['http://collector:4318'],
      description:
        'Address of the collector that receives spans by OTLP over HTTP, such as http://collector:4318. Without it, tracing is off.',
    }),
  ),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(
    Type.String({
      pattern: PAIRS,
      examples: ['authorization=Bearer%20token'],
      description: 'Headers that the collector requires, as name=value, separated by commas. Secret.',
    }),
  ),
  OTEL_SERVICE_NAME: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      examples: ['streamledger-api'],
      description: 'Name of the service in its traces. Default: streamledger-api, streamledger-relay and so on.',
    }),
  ),
  OTEL_RESOURCE_ATTRIBUTES: Type.Optional(
    Type.String({
      pattern: PAIRS,
      examples: ['deployment.environment.name=production'],
      description:
        'Further resource attributes of all spans, as name=value, separated by commas, such as deployment.environment.name=production.',
    }),
  ),
  OTEL_TRACES_SAMPLER: Type.Union(
    SAMPLERS.map((name) => Type.Literal(name)),
    {
      default: 'parentbased_always_on',
      description: `Which traces are recorded: ${SAMPLERS.join(', ')}. The parentbased ones follow the decision of the caller, if there is one.`,
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description: 'Share of traces that a traceidratio sampler records, from 0 to 1.',
  }),
}

const Env = Type.Object(tracingEnv)

type Sampler = (typeof SAMPLERS)[number]

export interface TracingConfig {
  /** The full URL of OTLP requests, with the path. */
  url: string
  headers: Record<string, string>
  serviceName: string
  resource: Record<string, string>
  sampler: { name: Sampler; ratio: number }
}

/**
 * Returns undefined if tracing is off.
 *
 * @throws Error that names the invalid variable, never its value.
 */
export function readTracingConfig(vars: Static<typeof Env>, service: string): TracingConfig | undefined {
  if (vars.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined
  return {
    // Source: OpenTelemetry Protocol Exporter: the path of the signal is appended to the endpoint.
    url: new URL(`${vars.OTEL_EXPORTER_OTLP_ENDPOINT.replace(/\/+$/, '')}/v1/traces`).href,
    headers: readHeaders(vars.OTEL_EXPORTER_OTLP_HEADERS),
    serviceName: vars.OTEL_SERVICE_NAME ?? `streamledger-${service}`,
    resource: readPairs('OTEL_RESOURCE_ATTRIBUTES', vars.OTEL_RESOURCE_ATTRIBUTES),
    sampler: { name: vars.OTEL_TRACES_SAMPLER as Sampler, ratio: vars.OTEL_TRACES_SAMPLER_ARG },
  }
}

function readHeaders(list: string | undefined): Record<string, string> {
  const variable = 'OTEL_EXPORTER_OTLP_HEADERS'
  const headers = readPairs(variable, list)
  try {
    for (const [name, value] of Object.entries(headers)) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
  } catch {
    throw new Error(
      `configuration: ${variable} has a name or a value that is not allowed in an HTTP header (example: authorization=Bearer%20token)`,
    )
  }
  return headers
}

/** In the format of W3C Baggage: values may contain %XX. */
function readPairs(variable: string, list = ''): Record<string, string> {
  try {
    const pairs = list.split(',').flatMap((pair) => pair.trim() || [])
    return Object.fromEntries(
      pairs.map((pair) => {
        const at = pair.indexOf('=')
        return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())]
      }),
    )
  } catch {
    throw new Error(`configuration: ${variable} has a % without two hexadecimal digits after it (example: name=50%25)`)
  }
}
