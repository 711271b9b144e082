import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findJava } from '@streamledger/engines'

const EXAMPLES = resolve(import.meta.dirname, '..')
const CACHE = resolve(EXAMPLES, '../../.local/example-consumers')
const PYTHON_MINOR_MIN = 10
const BUILD_DEADLINE_MS = 600_000
const OUTPUT_LINES_MAX = 10

/** How a consumer is started: a program and its arguments. */
export type Command = readonly [string, ...string[]]

export const LANGUAGES = ['typescript', 'java', 'python'] as const
export type Language = (typeof LANGUAGES)[number]

/**
 * Installs what an example needs, once, below .local.
 *
 * @throws Error, one line, that says what this machine lacks.
 */
export function prepare(language: Language): Promise<Command> {
  const prepareOne = { typescript: prepareTypescript, java: prepareJava, python: preparePython }
  return prepareOne[language]()
}

async function prepareTypescript(): Promise<Command> {
  return [process.execPath, '--disable-warning=TimeoutNegativeWarning', join(EXAMPLES, 'typescript/consumer-main.ts')]
}

async function prepareJava(): Promise<Command> {
  const java = await findJava()
  const folder = await makeOnce('java', listFiles(join(EXAMPLES, 'java')), async (draft) => {
    console.log('building the Java example with Maven, 15 MB to fetch, once')
    cpSync(join(EXAMPLES, 'java'), draft, { recursive: true })
    const flags = ['--batch-mode', '--no-transfer-progress', '-Dstyle.color=never', '--file', join(draft, 'pom.xml')]
    const libraries = [
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${draft}/target/lib`,
    ]
    await build(
      'mvn',
      [...flags, 'compile', ...libraries],
      'Maven is missing: install it, or leave Java out with TEST_WITHOUT=java',
    )
  })
  const classes = [join(folder, 'target/classes'), join(folder, 'target/lib/*')].join(':')
  return [java, '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-cp', classes, 'streamledger.TransactionsConsumer']
}

async function preparePython(): Promise<Command> {
  const version = await findPython()
  const requirements = join(EXAMPLES, 'python/requirements.txt')
  const folder = await makeOnce(`python-${version}`, [requirements], async (draft) => {
    console.log('installing the Python example’s client with pip, 4 MB to fetch, once')
    const hint = `Python's venv is missing: install it (Debian: python3-venv), or leave Python out with TEST_WITHOUT=python`
    await build('python3', ['-m', 'venv', draft], hint)
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:']
    await build(join(draft, 'bin/python'), [...pip, '--requirement', requirements], hint)
  })
  return [join(folder, 'bin/python'), join(EXAMPLES, 'python/consumer.py')]
}

async function findPython(): Promise<string> {
  const ask = 'import sys; print("%d.%d" % sys.version_info[:2])'
  const answer = await promisify(execFile)('python3', ['-c', ask]).catch(() => undefined)
  const [major = 0, minor = 0] = (answer?.stdout ?? '').trim().split('.').map(Number)
  if (major === 3 && minor >= PYTHON_MINOR_MIN) return `${major}.${minor}`
  throw new Error(
    `Python 3.${PYTHON_MINOR_MIN} or newer is missing (python3): install it, or leave Python out with TEST_WITHOUT=python`,
  )
}

/** A folder under its final name is complete: it is made as a draft, and the rename is atomic. */
async function makeOnce(name: string, sources: readonly string[], make: (draft: string) => Promise<void>) {
  const digest = createHash('sha256')
  for (const source of sources) digest.update(readFileSync(source))
  const folder = join(CACHE, `${name}-${digest.digest('hex').slice(0, 8)}`)
  if (existsSync(folder)) return folder
  const draft = `${folder}.draft-${process.pid}`
  mkdirSync(draft, { recursive: true })
  try {
    await make(draft)
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

function listFiles(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)).sort() // biome-ignore format: one line
}

function build(program: string, args: readonly string[], hint: string): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: BUILD_DEADLINE_MS })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return new Promise((done, reject) => {
    child.once('error', (cause) => reject(new Error(`${hint} (${cause.message})`, { cause })))
    child.once('close', (code) => {
      const end = output.trim().split('\n').slice(-OUTPUT_LINES_MAX).join('\n')
      if (code === 0) done()
      else reject(new Error(`${program} ended with ${code}:\n${end}`))
    })
  })
}
