import { join } from 'node:path'
import { EngineError, startKafka, startPostgres } from '@streamledger/engines'
import { checkDatabase, checkKafka } from './check-engines.ts'
import { keepEngineRunning } from './keep-engine-running.ts'
import type { LocalConfig } from './local-config.ts'
import type { Screen } from './screen.ts'
import type { StackProcess } from './stack-file.ts'

/** With these errors Kafka cannot run on this machine. Everything except the relay still runs. */
const NO_KAFKA = new Set(['java_missing', 'java_too_old', 'maven_missing', 'kafka_jars_failed'])

export type Engines = {
  readonly databaseUrl: string
  readonly kafkaBrokers: string | undefined
  readonly processes: readonly StackProcess[]
  stop(): Promise<void>
  kill(): void
}

export type EngineDeps = {
  screen: Screen
  /** Ends a start that is under way. */
  signal: AbortSignal
  /** Called whenever the process behind an engine changes. */
  onProcess: () => void
}

/** Starts PostgreSQL and Kafka, unless an address of a running one is given. */
export async function runEngines(config: LocalConfig, deps: EngineDeps): Promise<Engines> {
  const failed = new AbortController()
  const signal = AbortSignal.any([deps.signal, failed.signal])
  // The first failure is reported, and ends the start of the other engine.
  const orAbort = <T>(starting: Promise<T>): Promise<T | undefined> =>
    starting.catch((error) => {
      failed.abort(error)
      return undefined
    })
  const [postgres, kafka] = await Promise.all([
    orAbort(runPostgres(config, { ...deps, signal })),
    orAbort(runKafka(config, { ...deps, signal })),
  ])
  const stop = async () => {
    await kafka?.stop() // Kafka first: PostgreSQL does not depend on it
    await postgres?.stop()
  }
  if (failed.signal.aborted) {
    await stop()
    throw failed.signal.reason
  }
  return {
    databaseUrl: config.databaseUrl ?? postgres?.current.url ?? '',
    kafkaBrokers: config.kafkaBrokers ?? kafka?.current.brokers,
    get processes() {
      return Object.entries({ postgres, kafka }).flatMap(([role, engine]) =>
        engine ? [{ role, name: role, pid: engine.current.pid }] : [],
      )
    },
    stop,
    kill: () => {
      kafka?.kill()
      postgres?.kill()
    },
  }
}

async function runPostgres(
  { databaseUrl, ports, localDir, logDir }: LocalConfig,
  { screen, signal, onProcess }: EngineDeps,
) {
  if (databaseUrl) {
    await checkDatabase(databaseUrl)
    screen.progress('PostgreSQL answers at DATABASE_URL')
    return undefined
  }
  const start = () =>
    startPostgres({
      dataDir: join(localDir, 'postgres'),
      logFile: join(logDir, 'postgres.log'),
      port: ports.postgres,
      portVariable: 'POSTGRES_PORT',
      signal,
      log: screen.progress,
    })
  const engine = await keepEngineRunning(start, { name: 'PostgreSQL', logDir, screen, onProcess })
  screen.progress(`PostgreSQL 18 answers on port ${ports.postgres}`)
  return engine
}

async function runKafka({ kafka, ports, localDir, logDir }: LocalConfig, { screen, signal, onProcess }: EngineDeps) {
  if (kafka) {
    await checkKafka(kafka)
    screen.progress('Kafka answers at KAFKA_BROKERS')
    return undefined
  }
  const start = () =>
    startKafka({
      dataDir: join(localDir, 'kafka'),
      logFile: join(logDir, 'kafka.log'),
      port: ports.kafka,
      portVariable: 'KAFKA_PORT',
      signal,
      log: screen.progress,
    })
  try {
    const engine = await keepEngineRunning(start, { name: 'Kafka', logDir, screen, onProcess })
    screen.progress(`Kafka answers on port ${ports.kafka}`)
    return engine
  } catch (error) {
    if (signal.aborted || !(error instanceof EngineError) || !NO_KAFKA.has(error.code)) throw error
    screen.warn(error.message)
    return undefined
  }
}
