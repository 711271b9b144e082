import { join } from 'node:path'
import { pickFreePort } from './ports.ts'
import { type KafkaEngine, makeClusterId, startKafka } from './start-kafka.ts'

export type StartKafkaClusterOptions = {
  /** The folder for all data; each broker has a subfolder. */
  dataDir: string
  /** Maximum heap size of each broker, as java's -Xmx takes it. */
  heap?: string
  /** Further flags of java. */
  jvmFlags?: readonly string[]
  /** Broker settings that override those of this package. */
  settings?: Record<string, string>
}

export type KafkaCluster = {
  /** Addresses of all brokers, separated by commas. */
  readonly brokers: string
  /** 1 to 3. */
  readonly ids: readonly number[]
  /** kill -9. */
  kill(id: number): Promise<void>
  stop(id: number): Promise<void>
  /** Stops a broker's process, with its connections open, until `resume`. */
  pause(id: number): void
  resume(id: number): void
  /** Restarts a broker on the same address and data. */
  start(id: number): Promise<void>
}

const IDS = [1, 2, 3]
const HEAP = '256m'

/** Starts a new cluster of three nodes, each both broker and controller. Any one of them may fail. */
export async function startKafkaCluster(options: StartKafkaClusterOptions): Promise<KafkaCluster> {
  const { dataDir, heap = HEAP, jvmFlags = [], settings = {} } = options
  const clusterId = makeClusterId()
  const [ports, controllerPorts] = [await pickPorts(), await pickPorts()]
  const engines = new Map<number, KafkaEngine>()
  const signal = (id: number, name: NodeJS.Signals): void => {
    const pid = engines.get(id)?.pid
    if (pid !== undefined) process.kill(pid, name)
  }
  const start = async (id: number): Promise<void> => {
    const node = { id, controllerPorts, clusterId }
    const port = ports[id - 1] as number
    engines.set(id, await startKafka({ dataDir: join(dataDir, String(id)), heap, jvmFlags, node, port, settings }))
  }
  // Start all at once: none is ready before two of them have elected a controller.
  const started = await Promise.allSettled(IDS.map(start))
  const failed = started.find(({ status }) => status === 'rejected')
  if (failed) {
    await Promise.all([...engines.values()].map((engine) => engine.kill()))
    throw (failed as PromiseRejectedResult).reason
  }
  return {
    brokers: ports.map((port) => `127.0.0.1:${port}`).join(','),
    ids: IDS,
    kill: async (id) => engines.get(id)?.kill(),
    stop: async (id) => engines.get(id)?.stop(),
    pause: (id) => signal(id, 'SIGSTOP'),
    resume: (id) => signal(id, 'SIGCONT'),
    start,
  }
}

async function pickPorts(): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < IDS.length) ports.add(await pickFreePort())
  return [...ports]
}
