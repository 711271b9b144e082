import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createKafka } from '@streamledger/kafka'
import { logLevel } from 'kafkajs'
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
// A start takes 3 s, and longer after a kill, because Kafka then reads its logs.
const READY_DEADLINE_MS = 90_000
const READY_INTERVAL_MS = 100
const STOP_DEADLINE_MS = 20_000
const ORPHAN_DEADLINE_MS = 20_000
const FORMAT_DEADLINE_MS = 60_000

export type StartKafkaOptions = {
  /** The folder for all data of this broker: logs, cluster id, configuration, pid. */
  dataDir: string
  port?: number
  /** The environment variable that sets the port; the message about a busy port names it. */
  portVariable?: string
  /** The broker's own log. The log of the previous start is kept as `<logFile>.previous`. */
  logFile?: string
  /** Maximum heap size, as java's -Xmx takes it. */
  heap?: string
  /** Further flags of java, for example for a short-lived broker. */
  jvmFlags?: readonly string[]
  listeners?: readonly KafkaListener[]
  /** Its place in a cluster; without it, it is a cluster of one node. */
  node?: KafkaNode & { clusterId: string }
  /** Broker settings that override those of this package. */
  settings?: Record<string, string>
  cacheDir?: string
  /** Aborts the start. */
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

/** Starts Apache Kafka on this data folder. Creates the folder the first time, and cleans up after a killed start. */
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

/** Ends a broker whose supervisor was killed: it still holds the folder's lock. */
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

/** A leading dash would be read as a flag. */
export function makeClusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A')
}

async function format(
  { logs, propertiesFile }: Layout,
  jvm: Jvm,
  properties: Properties,
  clusterId: string,
): Promise<void> {
  // Created under another name and renamed, so that an interrupted format never looks like a broker's folder.
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

/** Fails until the broker's answer to a metadata request names a controller. */
async function describe(brokers: string, port: number): Promise<void> {
  if (await isPortFree(port)) throw new Error('the broker does not listen yet')
  const kafka = createKafka({
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
