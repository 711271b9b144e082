import { kafkaEnv, readKafkaAccess, topicEnv } from '@streamledger/kafka'
import { installationEnv, parseEnv, serviceEnv } from '@streamledger/runtime'
import Type, { type Static, type TObject } from 'typebox'
import { CliError } from './errors.ts'

const { DATABASE_URL } = serviceEnv
const { KAFKA_TOPIC, TOPIC_PARTITIONS } = installationEnv
const databaseEnv = Type.Object({ DATABASE_URL })
const streamEnv = Type.Object({ DATABASE_URL, ...kafkaEnv })
const newTopicEnv = Type.Object({ ...kafkaEnv, KAFKA_TOPIC, TOPIC_PARTITIONS, ...topicEnv })

/** What the commands read, all of them together; what `streamledger audit` reads besides is in its own configuration. */
export const streamledgerEnv = Type.Object({ ...streamEnv.properties, ...newTopicEnv.properties })

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
  const vars = load(newTopicEnv, env)
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
