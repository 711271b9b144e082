import { parseEnv } from '@streamledger/runtime'
import Type, { type Static, type TObject } from 'typebox'
import { CliError } from './errors.ts'

const databaseEnv = Type.Object({ DATABASE_URL: Type.String({ minLength: 1 }) })
const streamEnv = Type.Object({ ...databaseEnv.properties, KAFKA_BROKERS: Type.String({ minLength: 1 }) })

/** Of commands that ask only Postgres. */
export function loadDatabaseConfig(env: NodeJS.ProcessEnv) {
  return { databaseUrl: load(databaseEnv, env).DATABASE_URL }
}

/** Of commands that read the topic, too. Which topic it is, the database knows. */
export function loadStreamConfig(env: NodeJS.ProcessEnv) {
  const { DATABASE_URL, KAFKA_BROKERS } = load(streamEnv, env)
  return { databaseUrl: DATABASE_URL, brokers: KAFKA_BROKERS.split(',').map((broker) => broker.trim()) }
}

function load<Schema extends TObject>(schema: Schema, env: NodeJS.ProcessEnv): Static<Schema> {
  try {
    return parseEnv(schema, env)
  } catch (error) {
    const hint = 'Set it as the services have it, see .env.example; of a local stack, .local/stack.json knows it.'
    throw new CliError('configuration', `${(error as Error).message}. ${hint}`)
  }
}
