import { rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  type KafkaEngine,
  type KafkaListener,
  type PostgresEngine,
  startKafka,
  startPostgres,
} from '@streamledger/engines'
import type { Watched } from '../measure/process-usage.ts'
import type { BenchDeps } from '../suite.ts'

export interface Engines extends AsyncDisposable {
  readonly postgres: PostgresEngine
  /** Undefined if the suite needs no Kafka. */
  readonly kafka: KafkaEngine | undefined
  readonly watched: readonly Watched[]
}

export interface WantedEngines {
  readonly kafka: boolean | WantedKafka
  /** The folder of PostgreSQL's data; existing data is used, and it is not removed. */
  readonly keep?: string | undefined
}

interface WantedKafka {
  readonly listeners?: readonly KafkaListener[]
}

/**
 * Starts new engines for one suite, so that pending vacuum and flushes of the previous suite do not disturb it. They
 * are the engines of `npm start`, with the same durability, and with commit timestamps to measure latencies.
 */
export async function openEngines(deps: BenchDeps, { kafka: wanted, keep }: WantedEngines): Promise<Engines> {
  const { dir, signal, screen, lock } = deps
  const postgresDir = join(keep ?? dir, 'postgres')
  const kafkaDir = join(dir, 'kafka')
  const clear = () => {
    for (const folder of keep === undefined ? [postgresDir, kafkaDir] : [kafkaDir])
      rmSync(folder, { recursive: true, force: true })
  }
  clear()

  await using started = new AsyncDisposableStack()
  started.defer(clear)
  const postgres = await startPostgres({
    dataDir: postgresDir,
    logFile: join(dir, 'logs', 'postgres.log'),
    settings: { track_commit_timestamp: 'on' },
    signal,
  })
  started.defer(() => postgres.stop())
  lock.record({ pid: postgres.pid, words: ['postgres', postgresDir], signal: 'SIGINT' })
  const kafka = wanted ? await startBroker(deps, kafkaDir, wanted === true ? {} : wanted) : undefined
  if (kafka) started.defer(() => kafka.stop())
  screen.progress(`PostgreSQL${kafka ? ' and Kafka are' : ' is'} up`)

  const ending = started.move()
  return {
    ...{ postgres, kafka },
    watched: [
      { name: 'postgres', pid: postgres.pid, tree: true },
      ...(kafka ? [{ name: 'kafka', pid: kafka.pid }] : []),
    ],
    [Symbol.asyncDispose]: () => ending.disposeAsync(),
  }
}

async function startBroker(
  { dir, signal, screen, lock }: BenchDeps,
  kafkaDir: string,
  wanted: WantedKafka,
): Promise<KafkaEngine> {
  const logFile = join(dir, 'logs', 'kafka.log')
  const kafka = await startKafka({ dataDir: kafkaDir, logFile, signal, log: screen.progress, ...wanted })
  lock.record({ pid: kafka.pid, words: ['kafka.Kafka', kafkaDir], signal: 'SIGTERM' })
  return kafka
}
