import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { EngineError, type EngineErrorCode } from './engine-error.ts'
import { isProcess } from './processes.ts'

const CACHE_DIR = resolve(import.meta.dirname, '../../../.local')
// The jars have about 50 MB, a minute on a slow line. After ten minutes the download has failed.
const FETCH_DEADLINE_MS = 600_000
const ERROR_LINES_MAX = 5

export type FetchJarsOptions = {
  cacheDir?: string
  env?: NodeJS.ProcessEnv
  signal?: AbortSignal
  log?: (line: string) => void
}

/** The jars of one engine. */
export type JarSet = {
  /** Prefix of the folder's name. */
  name: string
  /** Name and size, for the progress line. */
  label: string
  pom: string
  failure: EngineErrorCode
}

/** Returns the folder with an engine's jars. Maven fetches them once, and again only if the pom has changed. */
export async function fetchJars(set: JarSet, options: FetchJarsOptions = {}): Promise<string> {
  const { cacheDir = CACHE_DIR, log } = options
  const digest = createHash('sha256').update(readFileSync(set.pom, 'utf8')).digest('hex').slice(0, 8)
  const jars = join(cacheDir, `${set.name}-${digest}`)
  if (existsSync(jars)) return jars

  log?.(`fetching ${set.label} with Maven, once`)
  // A folder with the final name is always complete: Maven fills a draft, and the rename is atomic.
  const draft = `${jars}.draft-${process.pid}`
  sweepDrafts(cacheDir)
  mkdirSync(draft, { recursive: true })
  try {
    await runMaven(draft, set, options)
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
    const pid = /^(?:kafka|s3proxy)-.*\.draft-(\d+)$/.exec(name)?.[1]
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

async function runMaven(
  outputDirectory: string,
  { pom, failure }: JarSet,
  { env = process.env, signal }: FetchJarsOptions,
): Promise<void> {
  const flags = ['--batch-mode', '--no-transfer-progress', '--strict-checksums', '-Dstyle.color=never', '--file', pom]
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${outputDirectory}`]
  const child = spawn('mvn', [...flags, ...goal], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: FETCH_DEADLINE_MS,
    ...(signal ? { signal } : {}),
  })
  const { code, output } = await finished(child, failure)
  if (code === 0) return
  const errors = output.split('\n').filter((line) => line.includes('[ERROR]'))
  throw new EngineError(failure, { detail: `\n${errors.slice(0, ERROR_LINES_MAX).join('\n')}` })
}

function finished(child: ChildProcess, failure: EngineErrorCode): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    }
    child.once('error', (error) => {
      const code = error.name === 'AbortError' ? failure : 'maven_missing'
      reject(new EngineError(code, { cause: error }))
    })
    child.once('close', (code) => resolve({ code, output }))
  })
}
