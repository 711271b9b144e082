import { kafkaEnv, readKafkaAccess } from '@streamledger/kafka'
import { installationEnv, parseEnv } from '@streamledger/runtime'
import Type, { type Static, type TObject } from 'typebox'
import { CliError } from './errors.ts'

const databaseEnv = Type.Object({ DATABASE_URL: Type.String({ minLength: 1 }) })
const streamEnv = Type.Object({ ...databaseEnv.properties, ...kafkaEnv })

const topicEnv = Type.Object({
  ...installationEnv,
  INSTALLATION_ID: Type.Optional(installationEnv.INSTALLATION_ID),
  ...kafkaEnv,
  TOPIC_REPLICATION_FACTOR: Type.Integer({ minimum: 1, maximum: 10, default: 3 }),
  RELAY_BATCH_BYTES_MAX: Type.Integer({ minimum: 16_384, maximum: 33_554_432, default: 1_048_576 }),
})

/** Of commands that ask only Postgres. */
export function loadDatabaseConfig(env: NodeJS.ProcessEnv) {
  return { databaseUrl: load(databaseEnv, env).DATABASE_URL }
}

/** Of commands that read the topic, too. Which topic it is, the database knows. */
export function loadStreamConfig(env: NodeJS.ProcessEnv) {
  const vars = load(streamEnv, env)
  return { databaseUrl: vars.DATABASE_URL, kafka: explainConfiguration(() => readKafkaAccess(vars)) }
}

/** Of the command that makes the topic: what it shall be like unless the command line says so. It needs no database. */
export function loadTopicConfig(env: NodeJS.ProcessEnv) {
  const vars = load(topicEnv, env)
  return {
    kafka: explainConfiguration(() => readKafkaAccess(vars)),
    topic: vars.KAFKA_TOPIC,
    partitions: vars.TOPIC_PARTITIONS,
    replicationFactor: vars.TOPIC_REPLICATION_FACTOR,
    batchBytesMax: vars.RELAY_BATCH_BYTES_MAX,
  }
}

function load<Schema extends TObject>(schema: Schema, env: NodeJS.ProcessEnv): Static<Schema> {
  return explainConfiguration(() => parseEnv(schema, env))
}

/** Adds to what is wrong with the environment where its variables come from. */
export function explainConfiguration<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    const hint = 'Set it as the services have it, see .env.example; of a local stack, .local/stack.json knows it.'
    throw new CliError('configuration', `${(error as Error).message}. ${hint}`)
  }
}
