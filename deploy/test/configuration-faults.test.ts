import { expect, test } from '@streamledger/testkit'
import { CONFIG_FILES, listVariables, type ReaderName } from '../src/env-example.ts'

type Load = (env: NodeJS.ProcessEnv) => unknown

async function importLoaders(file: string, ...names: string[]): Promise<Load[]> {
  const config = await import(new URL(`../../${file}`, import.meta.url).href)
  return names.map((name) => config[name])
}

const LOADERS: Readonly<Record<ReaderName, readonly Load[]>> = {
  api: await importLoaders(CONFIG_FILES.api, 'loadApiConfig'),
  relay: await importLoaders(CONFIG_FILES.relay, 'loadRelayConfig'),
  exporter: await importLoaders(CONFIG_FILES.exporter, 'loadExporterConfig'),
  audit: await importLoaders(CONFIG_FILES.audit, 'loadAuditConfig'),
  streamledger: [
    ...(await importLoaders('cli/src/config.ts', 'loadDatabaseConfig', 'loadStreamConfig', 'loadTopicConfig')),
    ...(await importLoaders('packages/runtime/src/service-env.ts', 'loadServiceUrls')),
  ],
}

const RIGHT = {
  DATABASE_URL: 'postgres://u:p@127.0.0.1/none',
  KAFKA_BROKERS: '127.0.0.1:9092',
  KAFKA_TLS: 'true',
  INSTALLATION_ID: '0198f6f0-0000-7000-8000-000000000000',
  JWT_SECRET: 'x'.repeat(32),
  EXPORT_DIR: 'exports',
  EXPORT_STORE: 's3',
  EXPORT_S3_BUCKET: 'bucket',
  EXPORT_S3_ACCESS_KEY_ID: 'key',
  EXPORT_S3_SECRET_ACCESS_KEY: 'secret',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
}

/** Stands in wrong values where a password may stand: no message may repeat it. */
const SECRET = 'hunter2-hunter2'
const NOT_A_PLACE = ['127.0.0.1:3000', 'http://127.0.0.1', '-', 'a b', '10.0.0.0/8']
const NOT_HTTP = [SECRET, 'collector:4318', 'http://', 'http:///path', 'http://c:port', 'https://c/?a=b', 'ftp://c']

/** Wrong values of the variables that are text. */
const WRONG: Readonly<Record<string, readonly string[]>> = {
  DATABASE_URL: [
    SECRET,
    `127.0.0.1:5432/${SECRET}`,
    `http://u:${SECRET}@127.0.0.1/db`,
    `postgres://u:${SECRET}#1@127.0.0.1/db`,
    `postgres://u:12#${SECRET}@127.0.0.1/db`,
    `postgres://u:12/${SECRET}@127.0.0.1/db`,
    `postgres://u:${SECRET}%@127.0.0.1/db`,
    `postgres://u:${SECRET}@127.0.0.1:port/db`,
    `postgres://u:${SECRET}@127.0.0.1:0/db`,
    `postgres://u:${SECRET}@one,two/db`,
    `postgres://u:${SECRET}@one:1,two:2/db`,
    `postgres://u:${SECRET}@127.0.0.1/db/${SECRET}`,
    `postgres:///${SECRET}`,
    `postgres://u:${SECRET}@127.0.0.1/db?sslmode=verify`,
    `postgres://u:${SECRET}@127.0.0.1/db?sslmode=verify-full&sslmode=verify`,
    `postgres://u:${SECRET}@127.0.0.1/db?SSLMODE=verify-full`,
    `postgres://u:${SECRET}@127.0.0.1/db?ssl=false`,
    `postgres://u:${SECRET}@127.0.0.1/db?SSL=true`,
    `postgres://u:${SECRET}@127.0.0.1/db?sslnegotiation=${SECRET}`,
    `postgres://u:${SECRET}@127.0.0.1/db?port=port`,
    `postgres://u:${SECRET}@/db?host=one,two`,
    `postgres://u:${SECRET}@127.0.0.1/db?uselibpqcompat=true&sslmode=verify-ca`,
    `postgres://u:${SECRET}@127.0.0.1/db?sslmode=verify-full&sslrootcert=/none/ca.crt`,
    ` postgres://u:${SECRET}@127.0.0.1/db`,
    `postgres://u:${SECRET}@127.0.0.1/db `,
    `postgres://u:${SECRET} 1@127.0.0.1/db`,
    `postgres://u:${SECRET}@/db`,
  ],
  KAFKA_BROKERS: [
    'kafka',
    'kafka:',
    ':9092',
    '127.0.0.1:abc',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '127.0.0.1:9092,',
    'a:9092,,b:9092',
    'kafka://127.0.0.1:9092',
    `SASL_SSL://u:${SECRET}@kafka:9092`,
    '[::1]:9092',
    '::1:9092',
    'a:9092;b:9092',
  ],
  HOST: NOT_A_PLACE,
  INSTALLATION_ID: ['mine', '0198f6f0'],
  KAFKA_TOPIC: ['a/b', '.', '..', 'x'.repeat(250)],
  KAFKA_TLS_CA_FILE: ['/none/ca.pem', import.meta.filename],
  JWT_SECRET: [SECRET],
  JWT_SECRET_PREVIOUS: [SECRET],
  OTEL_EXPORTER_OTLP_ENDPOINT: NOT_HTTP,
  OTEL_EXPORTER_OTLP_HEADERS: [SECRET, `a=${SECRET}%`, `a b=${SECRET}`],
  OTEL_SERVICE_NAME: ['x'.repeat(256)],
  OTEL_RESOURCE_ATTRIBUTES: [SECRET, `a=${SECRET}%`],
  TRUST_PROXY: ['everyone', '0.0.0.0/0'],
  EXPORT_S3_BUCKET: ['s3://bucket', 'a', 'bucket/folder'],
  EXPORT_S3_REGION: ['https://eu', 'eu west', 'eu_west_1', 'eu-west-1.', 'x'.repeat(64)],
  EXPORT_S3_ACCESS_KEY_ID: [`${SECRET}\n`, ` ${SECRET}`, 'ключ'],
  EXPORT_S3_SECRET_ACCESS_KEY: [`${SECRET}\n`, `${SECRET}\r\n`],
  EXPORT_S3_ENDPOINT: NOT_HTTP,
}

/** Any text may be right for these. */
const ANY_TEXT = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD', 'EXPORT_DIR', 'AUDIT_STATE_FILE']

const variables = listVariables().filter(({ name }) => !ANY_TEXT.includes(name))

/** Neither a number nor a choice. */
const SOMETHING_ELSE = ['something-else']

test.for(variables.map(({ name, defaults }) => ({ name, readers: Object.keys(defaults) as ReaderName[] })))(
  'a wrong $name is named in one line, with its fault and an example, by each program that reads it',
  ({ name, readers }) => {
    for (const wrong of WRONG[name] ?? SOMETHING_ELSE) {
      for (const reader of readers) {
        const messages = LOADERS[reader].flatMap((load) => messageOf(load, { ...RIGHT, [name]: wrong }) ?? [])
        expect(messages.length, `${reader} takes ${name}=${wrong}`).toBeGreaterThan(0)
        for (const message of messages) {
          expect(message).toMatch(/^configuration: [^\n]+$/)
          expect(message).toContain(`${name} `)
          expect(message).toMatch(/\(example: (?!undefined)[^)\n]+\)/)
          expect(message).not.toContain(SECRET)
        }
      }
    }
  },
)

function messageOf(load: Load, env: NodeJS.ProcessEnv): string | undefined {
  try {
    load(env)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

test('right values are taken', () => {
  const right = {
    DATABASE_URL: [
      'postgres://127.0.0.1',
      'postgresql://u:p%40ss%2F@[::1]:5432/db?sslmode=verify-full',
      'postgres:///db?host=/var/run/postgresql',
      'postgres://u:p@/db?host=/var/run/postgresql',
      'postgres://127.0.0.1/db?user=u@a.example&sslmode=allow',
      'postgres://u@127.0.0.1/db?ssl=0&port=5433&host=a.example',
      'postgres://u@%2Fvar%2Frun%2Fpostgresql/db',
      'postgres://u:a,b@h/db\n',
    ],
    KAFKA_BROKERS: ['a:9092, b_c.example:9093', '127.0.0.1:1'],
    HOST: ['0.0.0.0', '::', 'localhost', 'fe80::1%eth0', 'a.example.'],
    KAFKA_TOPIC: ['transactions', '.hidden', 'a..b', '-'],
    TOPIC_PARTITIONS: ['1', ' 5 ', '   '],
  }
  for (const [name, values] of Object.entries(right)) {
    for (const value of values)
      expect(LOADERS.relay.map((load) => messageOf(load, { ...RIGHT, [name]: value }))).toEqual([undefined])
  }
})

test('spaces alone count as not set, and never as 0', () => {
  const [config] = LOADERS.api.map((load) => load({ ...RIGHT, RATE_LIMIT_USER_MAX: '  ' }))
  expect(config).toMatchObject({ limits: { userMax: 20_000 } })
})

test.for([
  ['services/api/src/main.ts', [], 1],
  ['services/relay/src/main.ts', [], 1],
  ['services/exporter/src/main.ts', [], 1],
  ['db/src/migrate-main.ts', [], 1],
  ['cli/src/main.ts', ['audit'], 2],
  ['cli/src/main.ts', ['verify'], 2],
] as const)('%s %j ends at once with that line alone', async ([entry, args, code], { spawnService }) => {
  const wrong = `postgres://u:${SECRET}@one,two/db`
  const program = await spawnService(entry, { ...RIGHT, DATABASE_URL: wrong }, args)
  expect(await program.exited).toEqual({ code, signal: null })
  expect(program.logs).toMatch(/^configuration: DATABASE_URL must have one host, not several \(example: postgres:.*\n$/)
})
