import { kafkaEnv, readKafkaAccess, topicEnv } from '@streamledger/kafka'
import { grantsEnv, installationEnv, loadDatabaseUrl, parseEnv, serviceEnv } from '@streamledger/runtime'
import Type, { type Static, type TObject } from 'typebox'
import { CliError } from './errors.ts'

const { DATABASE_URL } = serviceEnv
const { KAFKA_TOPIC, TOPIC_PARTITIONS } = installationEnv
const streamEnv = Type.Object({ DATABASE_URL, ...kafkaEnv })
const newTopicEnv = Type.Object({ ...kafkaEnv, KAFKA_TOPIC, TOPIC_PARTITIONS, ...topicEnv })

/** The variables of all commands together, except for those that only `streamledger audit` reads (audit/config.ts). */
export const streamledgerEnv = Type.Object({
  ...streamEnv.properties,
  ...newTopicEnv.properties,
  ...grantsEnv,
})

/** For commands that read only Postgres. */
export function loadDatabaseConfig(env: NodeJS.ProcessEnv) {
  return { databaseUrl: explainConfiguration(() => loadDatabaseUrl(env)) }
}

/** For commands that also read the topic. The database knows the name of the topic. */
export function loadStreamConfig(env: NodeJS.ProcessEnv) {
  const vars = load(streamEnv, env)
  return { databaseUrl: vars.DATABASE_URL, kafka: explainConfiguration(() => readKafkaAccess(vars)) }
}

/** For the command that makes the topic: its settings, where the command line does not give them. It needs no database. */
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

/** Adds to an error in the environment where its variables come from. */
export function explainConfiguration<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    const hint = 'Use the values of the services, see .env.example; for a local stack they are in .local/stack.json.'
    throw new CliError('configuration', `${(error as Error).message}. ${hint}`)
  }
}
