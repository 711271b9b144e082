import { parseEnv } from '@streamledger/runtime'
import Type from 'typebox'
import { expect, test } from 'vitest'
import { readTracingConfig, tracingEnv } from '../src/index.ts'

const read = (env: Record<string, string>) => readTracingConfig(parseEnv(Type.Object(tracingEnv), env), 'api')
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' }

test('without an endpoint nothing is traced, whatever else is set', () => {
  expect(read({})).toBeUndefined()
  expect(
    read({ OTEL_SERVICE_NAME: 'x', OTEL_TRACES_SAMPLER: 'always_on', OTEL_EXPORTER_OTLP_ENDPOINT: '' }),
  ).toBeUndefined()
})

test('an endpoint is enough', () => {
  expect(read(ENDPOINT)).toEqual({
    url: 'http://collector:4318/v1/traces',
    headers: {},
    serviceName: 'streamledger-api',
    resource: {},
    sampler: { name: 'parentbased_always_on', ratio: 1 },
  })
})

test('what OpenTelemetry says of its variables holds', () => {
  expect(
    read({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp/',
      OTEL_EXPORTER_OTLP_HEADERS: ' authorization = Basic%20YTpi== , x-tenant=a%2Cb',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=production,service.version=1.2.3',
      OTEL_SERVICE_NAME: 'wallet',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
    }),
  ).toEqual({
    url: 'https://collector.example/otlp/v1/traces',
    headers: { authorization: 'Basic YTpi==', 'x-tenant': 'a,b' },
    serviceName: 'wallet',
    resource: { 'deployment.environment.name': 'production', 'service.version': '1.2.3' },
    sampler: { name: 'parentbased_traceidratio', ratio: 0.25 },
  })
})

test.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4317'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'http://:s3cret'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 's3cret'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=s3cret%2'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=s3cret,x'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=s3cret%0d%0ax: y'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a b=s3cret'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'x(y)=s3cret'],
  ['OTEL_TRACES_SAMPLER', 'sometimes'],
  ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ['OTEL_TRACES_SAMPLER_ARG', 'half'],
])('a value that cannot be meant is refused by its name: %s=%s', (variable, value) => {
  const attempt = () => read({ ...ENDPOINT, [variable]: value })
  expect(attempt).toThrow(variable)
  expect(attempt).not.toThrow('s3cret')
})
