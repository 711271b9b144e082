import Type, { type Static } from 'typebox'
import { parseEnv } from './parse-env.ts'

/** The variables of all services. */
export const serviceEnv = {
  DATABASE_URL: Type.String({
    format: 'postgres-url',
    examples: ['postgres://user:password@db.example:5432/ledger?sslmode=verify-full'],
    description: 'Address of Postgres, as postgres://user:password@host:port/database.',
  }),
  HOST: Type.String({
    format: 'host',
    default: '127.0.0.1',
    description: 'Address that this service listens on.',
  }),
  LOG_LEVEL: Type.Union(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'Minimum severity of log lines.' },
  ),
  DRAIN_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 300_000,
    default: 10_000,
    description: 'Maximum duration of a graceful stop, in ms. After it the process exits with code 1.',
  }),
  DATABASE_START_TIMEOUT_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 60_000,
    description: 'How long a service waits for the database at its start, in ms.',
  }),
  STATEMENT_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 5_000,
    description: 'Timeout of an SQL statement, in ms.',
  }),
}

const serviceUrl = (service: string) =>
  Type.Optional(
    Type.String({
      format: 'foreign-postgres-url',
      examples: [`postgres://ledger_${service}:password@db.example:5432/ledger`],
      description: `DATABASE_URL of the ${service}, for \`streamledger grants\`: its role gets the privileges, and is created if it is missing.`,
    }),
  )

/** For the programs that grant the services' roles their privileges. */
export const grantsEnv = {
  API_DATABASE_URL: serviceUrl('api'),
  RELAY_DATABASE_URL: serviceUrl('relay'),
  EXPORTER_DATABASE_URL: serviceUrl('exporter'),
  AUDIT_DATABASE_URL: serviceUrl('audit'),
}

const allServiceUrls = Type.Object(grantsEnv)

export const loadServiceUrls = (env: NodeJS.ProcessEnv): Static<typeof allServiceUrls> => parseEnv(allServiceUrls, env)

const databaseEnv = Type.Object({ DATABASE_URL: serviceEnv.DATABASE_URL })

/** For programs that read only Postgres. */
export const loadDatabaseUrl = (env: NodeJS.ProcessEnv): string => parseEnv(databaseEnv, env).DATABASE_URL

/** The variables of the services that use the event stream: the API, which writes events, and the relay. */
export const installationEnv = {
  INSTALLATION_ID: Type.String({
    pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
    examples: ['the output of uuidgen'],
    description: 'UUID of this installation; the same in all services and in the database.',
  }),
  KAFKA_TOPIC: Type.String({
    minLength: 1,
    maxLength: 249,
    pattern: '^\\.*[a-zA-Z0-9_-][a-zA-Z0-9._-]*$', // Kafka refuses the names . and ..
    default: 'transactions',
    description: 'Name of the topic for events.',
  }),
  TOPIC_PARTITIONS: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 12,
    description:
      'Number of partitions of a new topic, and so the maximum number of relay replicas that share the work. For an existing topic the database has the number.',
  }),
}
