import { join } from 'node:path'
import { type KafkaEngine, startKafka } from '@streamledger/engines'
import { abandon, makeRunDir } from './test-engines.ts'
import { createTestKafka, type TestKafka } from './test-kafka.ts'

/** A Kafka that only one test knows, so that the test may kill it. */
export interface OwnKafka extends TestKafka {
  /** kill -9. */
  kill(): Promise<void>
  /** Starts it again after a kill, under the same address. */
  start(): Promise<void>
}

export type StartOwnKafka = () => Promise<OwnKafka>

export async function startOwnKafka(): Promise<OwnKafka & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  const dataDir = join(runDir, 'kafka')
  let engine: KafkaEngine = await startKafka({ dataDir })
  const { brokers, port } = engine
  // As for a run's own engines: Ctrl-C twice leaves nothing behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  return {
    ...createTestKafka(brokers),
    kill: () => engine.kill(),
    start: async () => {
      engine = await startKafka({ dataDir, port })
    },
    remove: async () => {
      await engine.kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}
