import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import { EngineError } from './engine-error.ts'
import { fetchKafkaJars, kafkaVersion } from './fetch-kafka-jars.ts'
import { findJava } from './find-java.ts'
import { claimKafkaFolder } from './kafka-folder.ts'
import { type KafkaListener, type KafkaNode, kafkaProperties } from './kafka-properties.ts'
import { claimPort, isPortFree, pickFreePort } from './ports.ts'
import { endProcess } from './processes.ts'
import { type EngineProcess, type Exit, spawnEngine, tailOf, waitUntilReady } from './spawn-engine.ts'

const LOGGING = resolve(import.meta.dirname, '../kafka/log4j2.properties')
const HEAP = '512m'
// Up in 3 s; after a kill the logs are read through first.
const READY_DEADLINE_MS = 90_000
const READY_INTERVAL_MS = 100
const STOP_DEADLINE_MS = 20_000
const ORPHAN_DEADLINE_MS = 20_000
const FORMAT_DEADLINE_MS = 60_000

export type StartKafkaOptions = {
  /** Everything of this broker lives here: logs, cluster id, configuration, pid. */
  dataDir: string
  port?: number
  /** The environment variable that moves the port, for the message about a busy one. */
  portVariable?: string
  /** Where the broker's own log goes; the one of the start before is kept beside it, as `<logFile>.previous`. */
  logFile?: string
  /** The heap's largest size, in java's words. */
  heap?: string
  /** More of java's flags, such as those of a broker that is not to live for long. */
  jvmFlags?: readonly string[]
  listeners?: readonly KafkaListener[]
  /** Its place in a cluster; without one it is a cluster by itself. */
  node?: KafkaNode & { clusterId: string }
  /** Broker settings that go over this package's own. */
  settings?: Record<string, string>
  cacheDir?: string
  /** Ends a start that is under way. */
  signal?: AbortSignal
  log?: (line: string) => void
}

export type KafkaEngine = {
  readonly brokers: string
  readonly port: number
  readonly pid: number
  readonly exited: Promise<Exit>
  stop(): Promise<void>
  kill(): Promise<void>
}

type Layout = { logs: string; propertiesFile: string; pidFile: string; logFile: string }
type Jvm = { java: string; classpath: string; heap: string; flags: readonly string[] }

/** Starts Apache Kafka on this data folder, creating it the first time and recovering whatever a killed start left. */
export async function startKafka(options: StartKafkaOptions): Promise<KafkaEngine> {
  mkdirSync(options.dataDir, { recursive: true })
  const home = realpathSync(options.dataDir)
  const layout = {
    logs: join(home, 'logs'),
    propertiesFile: join(home, 'server.properties'),
    pidFile: join(home, 'kafka.pid'),
    logFile: options.logFile ?? join(home, 'kafka.log'),
  }
  claimKafkaFolder(home, layout.logs, kafkaVersion())
  const jvm = await prepareJvm(options)
  await endOrphan(layout, options.log)
  const port = await claimPort({ port: options.port, owner: 'Kafka', variable: options.portVariable })
  for (const { name, port } of options.listeners ?? []) await claimPort({ port, owner: `Kafka (${name})` })
  const node = options.node ?? { id: 1, controllerPorts: [await pickControllerPort(port)] }
  const properties = { port, node, ...pickSettings(options) }
  if (!existsSync(layout.logs)) await format(layout, jvm, properties, options.node?.clusterId ?? makeClusterId())

  options.signal?.throwIfAborted()
  writeFileSync(layout.propertiesFile, kafkaProperties({ ...properties, logDir: layout.logs }))
  const engine = await spawnEngine({
    command: jvm.java,
    args: jvmArgs(jvm, 'kafka.Kafka', layout.propertiesFile),
    env: process.env,
    logFile: layout.logFile,
  })
  writeFileSync(layout.pidFile, String(engine.pid))
  const brokers = `127.0.0.1:${port}`
  await becomeReady(engine, brokers, { ...layout, signal: options.signal })
  return {
    ...{ brokers, port, pid: engine.pid, exited: engine.exited },
    stop: () => engine.stop('SIGTERM', STOP_DEADLINE_MS),
    kill: () => engine.kill(),
  }
}

async function prepareJvm({ heap = HEAP, jvmFlags = [], cacheDir, signal, log }: StartKafkaOptions): Promise<Jvm> {
  const java = await findJava()
  const jars = await fetchKafkaJars({
    ...(cacheDir ? { cacheDir } : {}),
    ...(signal ? { signal } : {}),
    ...(log ? { log } : {}),
  })
  return { java, classpath: join(jars, '*'), heap, flags: jvmFlags }
}

function jvmArgs({ classpath, heap, flags }: Jvm, main: string, ...args: string[]): string[] {
  return [
    ...['-Xms64m', `-Xmx${heap}`, '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:+ExitOnOutOfMemoryError'],
    ...flags,
    '-Djava.awt.headless=true',
    `-Dlog4j2.configurationFile=${LOGGING}`,
    '-cp',
    classpath,
    main,
    ...args,
  ]
}

function pickSettings({ listeners, settings }: StartKafkaOptions) {
  return { ...(listeners ? { listeners } : {}), ...(settings ? { settings } : {}) }
}

async function pickControllerPort(port: number): Promise<number> {
  const picked = await pickFreePort()
  return picked === port ? pickControllerPort(port) : picked
}

/** A supervisor that was killed leaves its broker running, and that broker holds the folder's lock. */
async function endOrphan({ pidFile, propertiesFile }: Layout, log: StartKafkaOptions['log']): Promise<void> {
  if (!existsSync(pidFile)) return
  const pid = Number(readFileSync(pidFile, 'utf8'))
  const words = ['kafka.Kafka', propertiesFile]
  if (await endProcess(pid, { words, signal: 'SIGTERM', deadlineMs: ORPHAN_DEADLINE_MS })) {
    log?.(`ended the Kafka (pid ${pid}) that an earlier run left behind`)
  }
  rmSync(pidFile, { force: true })
}

type Properties = Omit<Parameters<typeof kafkaProperties>[0], 'logDir'>

/** A leading dash would read as a flag. */
export function makeClusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

async function format(
  { logs, propertiesFile }: Layout,
  jvm: Jvm,
  properties: Properties,
  clusterId: string,
): Promise<void> {
  // Made beside its place and renamed: an interrupted format is never taken for a broker's folder.
  const draft = `${logs}.draft`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft)
  writeFileSync(propertiesFile, kafkaProperties({ ...properties, logDir: draft }))
  const args = jvmArgs(jvm, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesFile)
  try {
    await promisify(execFile)(jvm.java, args, { timeout: FORMAT_DEADLINE_MS })
  } catch (error) {
    throw new EngineError('kafka_start_failed', { cause: error, detail: (error as { stderr?: string }).stderr ?? '' })
  }
  renameSync(draft, logs)
}

type Waiting = Layout & { signal: AbortSignal | undefined }

async function becomeReady(engine: EngineProcess, brokers: string, { logFile, signal }: Waiting): Promise<void> {
  const port = Number(brokers.split(':')[1])
  const ready = await waitUntilReady(engine, () => describe(brokers, port), {
    deadlineMs: READY_DEADLINE_MS,
    intervalMs: READY_INTERVAL_MS,
    signal,
  })
  if (ready) return
  await engine.kill()
  signal?.throwIfAborted()
  throw new EngineError('kafka_start_failed', { detail: `Its log, ${logFile}, ends with:\n${tailOf(logFile)}` })
}

/** Fails until the broker answers a metadata request with itself as the controller. */
async function describe(brokers: string, port: number): Promise<void> {
  if (await isPortFree(port)) throw new Error('nobody listens yet')
  const kafka = new Kafka({
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 0 },
    connectionTimeout: 1_000,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers: known, controller } = await admin.describeCluster()
    if (known.length === 0 || controller === null) throw new Error('no controller yet')
  } finally {
    await admin.disconnect()
  }
}
