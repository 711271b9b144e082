import type { Stack } from './stack-file.ts'

export type CommandLineSources = {
  /** The environment of the shell. It has priority over the others. */
  shell: NodeJS.ProcessEnv
  /** The running stack, if there is one. */
  stack: Stack | undefined
  /** The variables of .env. */
  file: NodeJS.ProcessEnv
}

/** The environment of `npm run streamledger`: by default that of the running stack. An empty variable counts as not set. */
export function commandLineEnv({ shell, stack, file }: CommandLineSources): NodeJS.ProcessEnv {
  return { ...withoutEmpty(file), ...stackEnv(stack, shell), ...withoutEmpty(shell) }
}

function stackEnv(stack: Stack | undefined, shell: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (!stack) return {}
  const { databaseUrl, kafkaBrokers, topic, topicVariables } = stack
  if (!kafkaBrokers) return { DATABASE_URL: databaseUrl }
  // The settings of the topic belong to the Kafka of the stack, not to another one that the shell names.
  const settings = shell.KAFKA_BROKERS ? {} : { KAFKA_TOPIC: topic, ...topicVariables }
  return { DATABASE_URL: databaseUrl, KAFKA_BROKERS: kafkaBrokers, ...settings }
}

const withoutEmpty = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value))
