import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadLocalConfig, ROOT } from '../src/local-config.ts'

test('without a word from the environment everything is local and on the usual ports', () => {
  expect(loadLocalConfig({ DATABASE_URL: '', KAFKA_BROKERS: '' })).toMatchObject({
    stack: 'embedded',
    ports: { api: 3000, ops: 9100, postgres: 15_432, kafka: 19_092 },
    databaseUrl: undefined,
    kafkaBrokers: undefined,
    topic: 'transactions',
    localDir: join(ROOT, '.local'),
  })
})

test.each([
  [{ PORT: '0' }, 'PORT is "0"; it must be a port from 1 to 65535'],
  [{ KAFKA_PORT: '9092x' }, 'KAFKA_PORT is "9092x"; it must be a port from 1 to 65535'],
  [{ STACK: 'podman' }, 'STACK is "podman"; it must be "embedded" or "docker"'],
  [{ DATABASE_URL: 'localhost:5432' }, /^configuration: DATABASE_URL must .*\(example: postgres:/],
  [{ KAFKA_BROKERS: 'kafka' }, /^configuration: KAFKA_BROKERS must .*\(example: kafka-1\.example:9092/],
  [{ KAFKA_BROKERS: '127.0.0.1:9092', KAFKA_SASL_USERNAME: 'a' }, 'KAFKA_SASL_MECHANISM'],
])('%o is refused by name', (env, message) => {
  expect(() => loadLocalConfig(env)).toThrow(message)
})
