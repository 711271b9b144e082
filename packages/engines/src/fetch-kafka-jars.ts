import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EngineError } from './engine-error.ts'
import { isProcess } from './processes.ts'

const POM = resolve(import.meta.dirname, '../kafka/pom.xml')
const CACHE_DIR = resolve(import.meta.dirname, '../../../.local')
// 43 MB: a minute on a slow line. Ten are enough to call it broken.
const FETCH_DEADLINE_MS = 600_000
const ERROR_LINES_MAX = 5

export type FetchKafkaJarsOptions = {
  cacheDir?: string
  env?: NodeJS.ProcessEnv
  signal?: AbortSignal
  log?: (line: string) => void
}

/** The Kafka that this package starts. */
export function kafkaVersion(pom = readFileSync(POM, 'utf8')): string {
  const version = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(pom)?.[1]
  if (!version) throw new Error(`${POM} names no version of Kafka`)
  return version
}

/** The folder with Kafka's jars: Maven fetches them the first time, and again only when the pom has changed. */
export async function fetchKafkaJars(options: FetchKafkaJarsOptions = {}): Promise<string> {
  const { cacheDir = CACHE_DIR, log } = options
  const pom = readFileSync(POM, 'utf8')
  const version = kafkaVersion(pom)
  const digest = createHash('sha256').update(pom).digest('hex').slice(0, 8)
  const jars = join(cacheDir, `kafka-${version}-${digest}`)
  if (existsSync(jars)) return jars

  log?.(`fetching Kafka ${version} with Maven, 43 MB, once`)
  // A folder under the final name is complete by construction: Maven fills a draft, and the rename is atomic.
  const draft = `${jars}.draft-${process.pid}`
  sweepDrafts(cacheDir)
  mkdirSync(draft, { recursive: true })
  try {
    await runMaven(draft, options)
    publish(draft, jars)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return jars
}

/** A fetch that was killed leaves its draft behind. */
function sweepDrafts(cacheDir: string): void {
  if (!existsSync(cacheDir)) return
  for (const name of readdirSync(cacheDir)) {
    const pid = /^kafka-.*\.draft-(\d+)$/.exec(name)?.[1]
    if (pid && (Number(pid) === process.pid || !isProcess(Number(pid), []))) {
      rmSync(join(cacheDir, name), { recursive: true, force: true })
    }
  }
}

function publish(draft: string, jars: string): void {
  try {
    renameSync(draft, jars)
  } catch (error) {
    if (!existsSync(jars)) throw error // otherwise another process was faster, with the same jars
  }
}

async function runMaven(outputDirectory: string, { env = process.env, signal }: FetchKafkaJarsOptions): Promise<void> {
  const flags = ['--batch-mode', '--no-transfer-progress', '--strict-checksums', '-Dstyle.color=never', '--file', POM]
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${outputDirectory}`]
  const child = spawn('mvn', [...flags, ...goal], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: FETCH_DEADLINE_MS,
    ...(signal ? { signal } : {}),
  })
  const { code, output } = await finished(child)
  if (code === 0) return
  const errors = output.split('\n').filter((line) => line.includes('[ERROR]'))
  throw new EngineError('kafka_jars_failed', { detail: `\n${errors.slice(0, ERROR_LINES_MAX).join('\n')}` })
}

function finished(child: ChildProcess): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.once('error', (error) => {
      const code = error.name === 'AbortError' ? 'kafka_jars_failed' : 'maven_missing'
      reject(new EngineError(code, { cause: error }))
    })
    child.once('close', (code) => resolve({ code, output }))
  })
}
