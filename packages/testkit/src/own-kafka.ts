import { join } from 'node:path'
import { type KafkaEngine, type StartKafkaOptions, startKafka } from '@streamledger/engines'
import { openWatchedKafkaDoor } from './kafka-door.ts'
import type { KafkaProxy } from './kafka-proxy.ts'
import { abandon, BROKER_FLAGS, makeRunDir } from './test-engines.ts'
import { createTestKafka, type TestKafka } from './test-kafka.ts'

/** A Kafka for one test, which may kill it. */
export interface OwnKafka extends TestKafka {
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Starts it again after a kill, at the same address. */
  start(): Promise<void>
}

/** A Kafka that can be reached directly and through a proxy. */
export interface ProxiedKafka extends OwnKafka {
  /** The brokers behind the proxy: a client of these always uses the proxy. */
  readonly proxiedBrokers: string
  readonly proxy: KafkaProxy
}

export type StartOwnKafka = () => Promise<OwnKafka>
export type StartProxiedKafka = () => Promise<ProxiedKafka>

export async function startOwnKafka(
  more: Pick<StartKafkaOptions, 'listeners' | 'settings'> = {},
): Promise<OwnKafka & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  const options = { dataDir: join(runDir, 'kafka'), jvmFlags: BROKER_FLAGS, ...more }
  let engine: KafkaEngine = await startKafka(options)
  const { brokers, port } = engine
  // As for the engines of the run: a second Ctrl-C leaves no process behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  return {
    ...createTestKafka(brokers),
    kill: () => engine.kill(),
    start: async () => {
      engine = await startKafka({ ...options, port })
    },
    remove: async () => {
      await engine.kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}

export async function startProxiedKafka(): Promise<ProxiedKafka & { remove(): Promise<void> }> {
  const door = await openWatchedKafkaDoor()
  const kafka = await startOwnKafka({ listeners: [door.listener] })
  return {
    ...{ ...kafka, proxiedBrokers: door.brokers, proxy: door.proxy },
    remove: async () => {
      await kafka.remove()
      await door.proxy.close()
    },
  }
}
