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

/** OpenTelemetry's own variables, as many as there is a use for. */
export const tracingEnv = {
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({
      pattern: '^https?://[^/]',
      description:
        'Where spans are sent, by OTLP over HTTP: the address of a collector, such as http://collector:4318. Without it nothing is traced.',
    }),
  ),
  OTEL_EXPORTER_OTLP_HEADERS: Type.Optional(
    Type.String({
      pattern: PAIRS,
      description: 'A secret: headers that the collector asks for, as name=value, several separated by commas.',
    }),
  ),
  OTEL_SERVICE_NAME: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'Name of the service in its traces; without it streamledger-api, streamledger-relay and so on.',
    }),
  ),
  OTEL_RESOURCE_ATTRIBUTES: Type.Optional(
    Type.String({
      pattern: PAIRS,
      description:
        'What else spans say of where they come from, as name=value, several separated by commas: deployment.environment.name=production.',
    }),
  ),
  OTEL_TRACES_SAMPLER: Type.Union(
    SAMPLERS.map((name) => Type.Literal(name)),
    {
      default: 'parentbased_always_on',
      description: `Which traces are recorded: ${SAMPLERS.join(', ')}. A parentbased one believes a caller who has decided that.`,
    },
  ),
  OTEL_TRACES_SAMPLER_ARG: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 1,
    description: 'The share of traces that a traceidratio records, from 0 to 1.',
  }),
}

const Env = Type.Object(tracingEnv)

export type Sampler = (typeof SAMPLERS)[number]

export interface TracingConfig {
  /** Where OTLP's requests go, path and all. */
  url: string
  headers: Record<string, string>
  serviceName: string
  resource: Record<string, string>
  sampler: { name: Sampler; ratio: number }
}

/**
 * Undefined where nothing is traced.
 *
 * @throws Error that names the variable that does not parse, never its value.
 */
export function readTracingConfig(vars: Static<typeof Env>, service: string): TracingConfig | undefined {
  if (vars.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined
  return {
    url: readUrl(vars.OTEL_EXPORTER_OTLP_ENDPOINT),
    headers: readHeaders(vars.OTEL_EXPORTER_OTLP_HEADERS),
    serviceName: vars.OTEL_SERVICE_NAME ?? `streamledger-${service}`,
    resource: readPairs('OTEL_RESOURCE_ATTRIBUTES', vars.OTEL_RESOURCE_ATTRIBUTES),
    sampler: { name: vars.OTEL_TRACES_SAMPLER as Sampler, ratio: vars.OTEL_TRACES_SAMPLER_ARG },
  }
}

/** Source: OpenTelemetry Protocol Exporter: the path of the signal is added to the endpoint, whatever that ends with. */
function readUrl(endpoint: string): string {
  try {
    return new URL(`${endpoint.replace(/\/+$/, '')}/v1/traces`).href
  } catch {
    throw new Error('configuration: OTEL_EXPORTER_OTLP_ENDPOINT must be a URL')
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
    throw new Error(`configuration: ${variable} has a name or a value that no header can have`)
  }
  return headers
}

/** As W3C Baggage writes them: a value may have %XX in it. */
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
    throw new Error(`configuration: ${variable} has a % that no two hexadecimal digits follow`)
  }
}
