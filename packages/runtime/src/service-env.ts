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
}
