import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EngineError } from './engine-error.ts'
import { type FetchJarsOptions, fetchJars } from './fetch-jars.ts'
import { findJava } from './find-java.ts'
import { pickFreePort } from './ports.ts'
import { spawnEngine, tailOf, waitUntilReady } from './spawn-engine.ts'

const POM = resolve(import.meta.dirname, '../s3/pom.xml')
const LOGGING = resolve(import.meta.dirname, '../s3/logback.xml')
const READY_DEADLINE_MS = 60_000
const READY_INTERVAL_MS = 50
const CREDENTIALS = { accessKeyId: 'access-key-of-s3', secretAccessKey: 'secret-key-of-s3' }

export type StartS3Options = FetchJarsOptions & {
  /** Each bucket is a subfolder. */
  dataDir: string
  /** Created if missing. */
  buckets: readonly string[]
  port?: number
}

export type S3Engine = {
  readonly endpoint: string
  readonly port: number
  readonly credentials: { accessKeyId: string; secretAccessKey: string }
  kill(): Promise<void>
}

/** The folder with S3Proxy's jars. */
export function fetchS3Jars(options: FetchJarsOptions = {}): Promise<string> {
  return fetchJars({ name: 's3proxy', label: 'S3Proxy, 57 MB,', pom: POM, failure: 's3_jars_failed' }, options)
}

/** Starts S3Proxy, an S3 server that stores objects as files. Only for tests. */
export async function startS3(options: StartS3Options): Promise<S3Engine> {
  const java = await findJava()
  const jars = await fetchS3Jars(options)
  for (const bucket of options.buckets) mkdirSync(join(options.dataDir, bucket), { recursive: true })
  const home = realpathSync(options.dataDir)
  const port = options.port ?? (await pickFreePort())
  const endpoint = `http://127.0.0.1:${port}`
  const propertiesFile = join(home, 's3proxy.properties')
  writeFileSync(propertiesFile, s3Properties({ endpoint, home }))
  const logFile = join(home, 's3proxy.log')
  const engine = await spawnEngine({
    command: java,
    args: [
      ...['-Xmx128m', '-Djava.awt.headless=true', `-Dlogback.configurationFile=${LOGGING}`],
      ...['-cp', join(jars, '*'), 'org.gaul.s3proxy.Main', '--properties', propertiesFile],
    ],
    env: process.env,
    logFile,
  })
  writeFileSync(join(home, 's3proxy.pid'), String(engine.pid))
  const limits = { deadlineMs: READY_DEADLINE_MS, intervalMs: READY_INTERVAL_MS, signal: options.signal }
  if (!(await waitUntilReady(engine, () => answer(endpoint), limits))) {
    await engine.kill()
    throw new EngineError('s3_start_failed', { detail: `Its log, ${logFile}, ends with:\n${tailOf(logFile)}` })
  }
  return { endpoint, port, credentials: CREDENTIALS, kill: () => engine.kill() }
}

function s3Properties({ endpoint, home }: { endpoint: string; home: string }): string {
  return `s3proxy.endpoint=${endpoint}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=${CREDENTIALS.accessKeyId}
s3proxy.credential=${CREDENTIALS.secretAccessKey}
jclouds.provider=filesystem-nio2
jclouds.identity=unused
jclouds.credential=unused
jclouds.filesystem.basedir=${home}
`
}

/** Any answer shows that it is up, also a refusal because of the missing key. */
async function answer(endpoint: string): Promise<void> {
  const response = await fetch(endpoint, { signal: AbortSignal.timeout(1_000) })
  await response.body?.cancel()
}
