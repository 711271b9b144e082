const NAMES = ['TOPIC_PARTITIONS', 'TOPIC_REPLICATION_FACTOR', 'RELAY_BATCH_BYTES_MAX'] as const

/** The variables that decide how the relay creates the topic, as far as they are set. */
export function pickTopicVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(NAMES.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
}
