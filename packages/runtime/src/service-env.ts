import Type from 'typebox'

/** The variables that every service reads. */
export const serviceEnv = {
  DATABASE_URL: Type.String({ minLength: 1, description: 'Postgres, as postgres://user:password@host:port/database.' }),
  HOST: Type.String({ default: '127.0.0.1', description: 'Address that this service listens on.' }),
  LOG_LEVEL: Type.Union(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info', description: 'Least severe log line that is written.' },
  ),
  DRAIN_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 300_000,
    default: 10_000,
    description: 'How long a stop may take before the process gives up and exits 1.',
  }),
  DATABASE_START_TIMEOUT_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 60_000,
    description: 'How long a start waits for a database that is down.',
  }),
  STATEMENT_TIMEOUT_MS: Type.Integer({
    minimum: 100,
    maximum: 60_000,
    default: 5_000,
    description: 'How long one SQL statement may run before it is ended.',
  }),
}

/** The variables of the services that know the event stream: the one that writes events and the one that publishes them. */
export const installationEnv = {
  INSTALLATION_ID: Type.String({
    pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
    description: 'Which installation this is: a uuid, the same in every service and in the database.',
  }),
  KAFKA_TOPIC: Type.String({
    minLength: 1,
    maxLength: 249,
    pattern: '^[a-zA-Z0-9._-]+$',
    default: 'transactions',
    description: 'Topic of the events.',
  }),
  TOPIC_PARTITIONS: Type.Integer({
    minimum: 1,
    maximum: 1_000,
    default: 12,
    description:
      'Partitions of a new topic, the most relay replicas that can share the work; later the database knows.',
  }),
}
