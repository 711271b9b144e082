import { join, resolve } from 'node:path'
import { TRANSACTIONS_TOPIC } from '@streamledger/events'
import { type KafkaAccess, kafkaEnv, readKafkaAccess } from '@streamledger/kafka'
import { loadDatabaseUrl, parseEnv } from '@streamledger/runtime'
import Type from 'typebox'

export const ROOT = resolve(import.meta.dirname, '../../..')

// Below the port ranges for outgoing connections of all systems, in which a client's socket could occupy a port.
const PORTS = { PORT: 3000, OPS_PORT: 9100, POSTGRES_PORT: 15_432, KAFKA_PORT: 19_092 } as const

/** The folder of the stack. Another folder is another stack. */
export const loadLocalDir = (env: NodeJS.ProcessEnv) => resolve(ROOT, env.LOCAL_DIR || '.local')

/** Reads the variables of `npm start`. */
export function loadLocalConfig(env: NodeJS.ProcessEnv) {
  const stack = env.STACK || 'embedded'
  if (stack !== 'embedded' && stack !== 'docker')
    throw new Error(`STACK is "${stack}"; it must be "embedded" or "docker"`)
  const localDir = loadLocalDir(env)
  return {
    stack,
    ports: {
      api: parsePort(env, 'PORT'),
      ops: parsePort(env, 'OPS_PORT'),
      postgres: parsePort(env, 'POSTGRES_PORT'),
      kafka: parsePort(env, 'KAFKA_PORT'),
    },
    databaseUrl: env.DATABASE_URL ? loadDatabaseUrl(env) : undefined,
    kafkaBrokers: env.KAFKA_BROKERS || undefined,
    kafka: env.KAFKA_BROKERS ? loadKafkaAccess(env) : undefined,
    topic: env.KAFKA_TOPIC || TRANSACTIONS_TOPIC,
    host: env.HOST || '127.0.0.1',
    exportDir: env.EXPORT_DIR || join(localDir, 'exports'),
    localDir,
    logDir: join(localDir, 'logs'),
  } as const
}

export type LocalConfig = ReturnType<typeof loadLocalConfig>

const loadKafkaAccess = (env: NodeJS.ProcessEnv): KafkaAccess => readKafkaAccess(parseEnv(Type.Object(kafkaEnv), env))

function parsePort(env: NodeJS.ProcessEnv, name: keyof typeof PORTS): number {
  const text = env[name]
  if (!text) return PORTS[name]
  const port = Number(text)
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new Error(`${name} is "${text}"; it must be a port from 1 to 65535`)
}
