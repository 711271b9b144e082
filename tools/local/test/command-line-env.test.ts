import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { commandLineEnv } from '../src/command-line-env.ts'
import { readStack, type Stack, writeStack } from '../src/stack-file.ts'

const STACK: Stack = {
  ...{ api: [], ops: [], processes: [] },
  ...{ databaseUrl: 'postgres://stack', kafkaBrokers: 'stack:9092', topic: 'of-the-stack' },
  topicVariables: { TOPIC_PARTITIONS: '3' },
}
const OF_STACK = {
  ...{ DATABASE_URL: 'postgres://stack', KAFKA_BROKERS: 'stack:9092' },
  ...{ KAFKA_TOPIC: 'of-the-stack', TOPIC_PARTITIONS: '3' },
}

test('the command line talks to the running stack, and creates the topic as its relay does', () => {
  expect(commandLineEnv({ shell: {}, stack: STACK, file: {} })).toEqual(OF_STACK)
  const file = { DATABASE_URL: 'postgres://file', TOPIC_PARTITIONS: '6', LOG_LEVEL: 'debug' }
  expect(commandLineEnv({ shell: {}, stack: STACK, file })).toEqual({ ...OF_STACK, LOG_LEVEL: 'debug' })
})

test('what the shell names has priority, and an empty variable does not hide one of the stack', () => {
  const shell = { KAFKA_BROKERS: 'shell:9092', DATABASE_URL: '' }
  expect(commandLineEnv({ shell, stack: STACK, file: { DATABASE_URL: '' } })).toEqual({
    DATABASE_URL: 'postgres://stack',
    KAFKA_BROKERS: 'shell:9092',
  })
  expect(commandLineEnv({ shell, stack: undefined, file: { TOPIC_PARTITIONS: '6' } })).toEqual({
    KAFKA_BROKERS: 'shell:9092',
    TOPIC_PARTITIONS: '6',
  })
  expect(commandLineEnv({ shell: {}, stack: { ...STACK, kafkaBrokers: null }, file: {} })).toEqual({
    DATABASE_URL: 'postgres://stack',
  })
})

test('stack.json keeps the variables of the topic that `npm start` was given', () => {
  const localDir = mkdtempSync(join(tmpdir(), 'stack-'))
  onTestFinished(() => rmSync(localDir, { recursive: true }))
  vi.stubEnv('TOPIC_PARTITIONS', '5')
  vi.stubEnv('TOPIC_REPLICATION_FACTOR', '')
  onTestFinished(() => void vi.unstubAllEnvs())
  writeStack(localDir, STACK)
  expect(readStack(localDir)).toMatchObject({ topicVariables: { TOPIC_PARTITIONS: '5' }, topic: 'of-the-stack' })
  expect(readStack(localDir)?.topicVariables).not.toHaveProperty('TOPIC_REPLICATION_FACTOR')
})
