import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fetchKafkaJars, findJava, type KafkaEngine, pickFreePort, readTopic, startKafka } from '../src/index.ts'

let dataDir: string
const engines: KafkaEngine[] = []

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'engines-'))
})

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.kill()))
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(options: Partial<Parameters<typeof startKafka>[0]> = {}): Promise<KafkaEngine> {
  const engine = await startKafka({ dataDir, ...options })
  engines.push(engine)
  return engine
}

const connect = (brokers: string) => new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING })

test('records are there after a kill and a restart, and an interrupted format is forgotten', async () => {
  mkdirSync(join(dataDir, 'logs.draft')) // what a kill in the middle of the first start leaves
  const first = await start()
  const producer = connect(first.brokers).producer()
  const admin = connect(first.brokers).admin()
  await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 1 }] })
  await producer.connect()
  await producer.send({ topic: 'kept', messages: [{ key: 'k', value: 'v' }] })
  await Promise.all([producer.disconnect(), admin.disconnect()])
  await first.kill()

  const second = await start()
  expect(await readTopic(second.brokers, 'kept')).toEqual([
    { key: 'k', value: 'v', headers: {}, partition: 0, offset: 0, sentAtMs: expect.any(Number) },
  ])
  expect(existsSync(join(dataDir, 'kafka.log.previous')), 'the log of the broker that was killed').toBe(true)
  expect(readFileSync(join(dataDir, 'kafka.version'), 'utf8')).toMatch(/^4\.2\.\d+\n$/)
})

test.for([
  ['that names it', '4.4.0\n'],
  ['from before versions were recorded', undefined],
])('a folder of a newer Kafka %s is refused before anything is started', async ([, version]) => {
  mkdirSync(join(dataDir, 'logs'))
  if (version) writeFileSync(join(dataDir, 'kafka.version'), version)
  const before = readdirSync(dataDir)
  await expect(start()).rejects.toThrow(
    /^Kafka cannot read its data folder.* is from Kafka 4\.4\.0, and this is 4\.2\./,
  )
  expect(readdirSync(dataDir)).toEqual(before)
})

test('an orphan is ended first, and a second listener advertises the port of the proxy before it', async () => {
  const orphan = await start()
  const [port, advertisedPort] = [await pickFreePort(), await pickFreePort()]
  const lines: string[] = []
  await start({ listeners: [{ name: 'PROXIED', port, advertisedPort }], log: (line) => lines.push(line) })
  expect(lines).toEqual([`ended the Kafka (pid ${orphan.pid}) that an earlier run left behind`])

  const proxied = vi.fn((socket: Socket) => void socket.pipe(createConnection(port, '127.0.0.1')).pipe(socket))
  const proxy = createServer(proxied).listen(advertisedPort, '127.0.0.1')
  const admin = connect(`127.0.0.1:${port}`).admin()
  await admin.connect()
  expect((await admin.describeCluster()).brokers).toMatchObject([{ host: '127.0.0.1', port: advertisedPort }])
  expect(proxied).toHaveBeenCalled()
  await admin.disconnect()
  proxy.close()
})

test('a Java that is missing or too old is one clear line', async () => {
  await expect(findJava({ PATH: dataDir })).rejects.toThrow(/^Java 17 or newer was not found\. Install it,/)
  const old = join(dataDir, 'bin', 'java')
  mkdirSync(join(dataDir, 'bin'))
  writeFileSync(old, '#!/bin/sh\necho \'openjdk version "1.8.0_402"\' >&2\n')
  chmodSync(old, 0o755)
  await expect(findJava({ PATH: '/usr/bin:/bin', JAVA_HOME: dataDir })).rejects.toThrow(/^Java is too old: .* Found 8/)
})

test('a missing Maven, or one that fails, is one clear line and leaves no half-filled folder', async () => {
  const cacheDir = join(dataDir, 'cache')
  await expect(fetchKafkaJars({ cacheDir, env: { PATH: dataDir } })).rejects.toThrow(/^Maven was not found/)
  const maven = join(dataDir, 'mvn')
  writeFileSync(maven, '#!/bin/sh\necho "[ERROR] no route to the repository"\nexit 1\n')
  chmodSync(maven, 0o755)
  const failing = fetchKafkaJars({ cacheDir, env: { PATH: `${dataDir}:/usr/bin:/bin` } })
  await expect(failing).rejects.toThrow(/^Maven could not fetch Kafka's jars[\s\S]*no route to the repository/)
  expect(existsSync(cacheDir) ? readdirSync(cacheDir) : []).toEqual([])
})
