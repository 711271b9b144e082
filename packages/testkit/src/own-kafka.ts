import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type KafkaEngine, type StartKafkaOptions, startKafka } from '@streamledger/engines'
import { type DoorPorts, openOneOf, openWatchedKafkaDoor } from './kafka-door.ts'
import type { KafkaProxy } from './kafka-proxy.ts'
import { abandon, BROKER_FLAGS, makeRunDir } from './test-engines.ts'
import { createTestKafka, type TestKafka } from './test-kafka.ts'

/** A Kafka for one test, which may kill it. */
export interface OwnKafka extends TestKafka {
  /** Sends SIGKILL. */
  kill(): Promise<void>
  /** Starts it again after a kill, at the same address. */
  start(): Promise<void>
  /** Kills it, and starts another, empty cluster at the same address. */
  replace(): Promise<void>
}

/** One that is reached directly, and through a proxy: the run's own broker, which other tests use at the same time. */
export interface ProxiedKafka extends TestKafka {
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
    replace: async () => {
      await engine.kill()
      rmSync(options.dataDir, { recursive: true, force: true })
      engine = await startKafka({ ...options, port })
    },
    remove: async () => {
      await engine.kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}

export async function startProxiedKafka(
  brokers: string,
  doors: readonly DoorPorts[],
): Promise<ProxiedKafka & { remove(): Promise<void> }> {
  const proxy = await openOneOf(doors)
  // Where all doors are open, or the run's broker has none, it takes a broker of the test's own.
  if (!proxy) return startOwnProxiedKafka()
  return { ...createTestKafka(brokers), proxiedBrokers: proxy.address, proxy, remove: () => proxy.close() }
}

async function startOwnProxiedKafka(): Promise<ProxiedKafka & { remove(): Promise<void> }> {
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
