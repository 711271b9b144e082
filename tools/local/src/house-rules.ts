// Checks the rules that neither the formatter nor the compiler can check; docs/architecture.md explains them.
import { globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

export interface SourceFile {
  /** Relative to the root of the repository. */
  path: string
  text: string
}

export interface Finding {
  path: string
  rule: string
}

const FILE_LINES_MAX = 400
const ROOT = resolve(import.meta.dirname, '../../..')
const SOURCES = '{db,cli,deploy,examples,packages,services,tools}/**/*.{ts,mjs}'
/** Generated from docs/openapi.json, and checked by the drift check. */
const GENERATED_TYPES = 'packages/client/src/openapi.ts'
const TEXTS = '{*,*/*,*/*/*,*/*/*/*,*/*/*/*/*,*/*/*/*/*/*}.{md,json,yml,yaml,sql,ts,mjs,example}'

/** The packages of this workspace that a folder may import, in its code and in its tests. */
const MAY_IMPORT: readonly { folder: string; packages: readonly string[]; tests: readonly string[] }[] = [
  { folder: 'packages/events/', packages: [], tests: [] },
  { folder: 'packages/runtime/', packages: [], tests: [] },
  { folder: 'packages/kafka/', packages: [], tests: [] },
  { folder: 'packages/tracing/', packages: ['runtime'], tests: ['runtime', 'testkit', 'tracing'] },
  { folder: 'packages/client/', packages: [], tests: ['db', 'testkit'] },
  { folder: 'packages/export-files/', packages: [], tests: [] },
  { folder: 'packages/engines/', packages: ['kafka'], tests: ['kafka', 'testkit'] },
  { folder: 'packages/testkit/', packages: ['db', 'engines', 'events'], tests: ['testkit'] },
  { folder: 'db/', packages: ['runtime'], tests: ['db', 'testkit', 'engines'] },
  {
    folder: 'services/',
    packages: ['db', 'events', 'export-files', 'kafka', 'runtime', 'tracing'],
    tests: ['db', 'engines', 'events', 'export-files', 'kafka', 'runtime', 'testkit', 'tracing'],
  },
  {
    folder: 'cli/',
    packages: ['db', 'events', 'kafka', 'runtime'],
    tests: ['db', 'engines', 'events', 'kafka', 'runtime', 'testkit'],
  },
  ...['tools/', 'deploy/', 'examples/'].map((folder) => {
    const all = ['db', 'engines', 'events', 'kafka', 'runtime', 'testkit']
    return { folder, packages: all, tests: all }
  }),
]

/** Layers inside the API: what a folder must not import, by the start of the path or by the name of the package. */
const LAYERS: readonly { folder: string; forbidden: readonly string[]; typesToo: boolean; why: string }[] = [
  {
    folder: 'services/api/src/ledger/',
    forbidden: ['fastify', '@fastify/', '../routes/', '../plugins/', '../app.ts'],
    typesToo: true,
    why: 'the ledger knows nothing of HTTP',
  },
  {
    folder: 'services/api/src/accounts/',
    forbidden: ['fastify', '@fastify/', '../routes/', '../plugins/', '../app.ts'],
    typesToo: true,
    why: 'accounts know nothing of HTTP',
  },
  {
    folder: 'services/api/src/routes/',
    forbidden: ['kysely', 'pg', '@streamledger/db'],
    typesToo: false, // it may pass on values of such types
    why: 'a route never sees a table',
  },
]

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g
const TYPE_IMPORT = /^import type [^;]*?from '[^']+'$/gm

function importsOf({ text }: SourceFile): string[] {
  return [...text.matchAll(IMPORT)].map(([, specifier]) => specifier as string)
}

const withoutTypes = ({ path, text }: SourceFile): SourceFile => ({ path, text: text.replaceAll(TYPE_IMPORT, '') })

const isTest = ({ path }: SourceFile): boolean => path.includes('/test/')

function checkDirections(file: SourceFile): string[] {
  const rule = MAY_IMPORT.find(({ folder }) => file.path.startsWith(folder))
  if (!rule) return []
  const allowed = isTest(file) ? rule.tests : rule.packages
  return importsOf(file).flatMap((specifier) => {
    const [, name] = /^@streamledger\/([a-z-]+)/.exec(specifier) ?? []
    if (name && !allowed.includes(name)) return [`may not import @streamledger/${name}`]
    return leavesItsRoom(file.path, specifier) ? [`reaches into another room: ${specifier}`] : []
  })
}

/** A relative import must stay in its service, package or top folder. */
function leavesItsRoom(path: string, specifier: string): boolean {
  if (!specifier.startsWith('.')) return false
  const roomOf = (target: string): string =>
    target
      .split('/')
      .slice(0, /^(services|packages|tools)\//.test(target) ? 2 : 1)
      .join('/')
  return roomOf(join(path, '..', specifier)) !== roomOf(path)
}

function checkLayers(file: SourceFile): string[] {
  return LAYERS.filter(({ folder }) => file.path.startsWith(folder)).flatMap(({ forbidden, typesToo, why }) =>
    importsOf(typesToo ? file : withoutTypes(file))
      .filter((specifier) =>
        forbidden.some((start) => specifier === start || (start.endsWith('/') && specifier.startsWith(start))),
      )
      .map((specifier) => `may not import ${specifier}: ${why}`),
  )
}

function checkKafkajs(file: SourceFile): string[] {
  const isGuarded = /^(services\/relay\/src\/kafka-[a-z]+|cli\/src\/[a-z]+\/kafka-[a-z]+)\.ts$/.test(file.path)
  if (!/^(services|cli)\//.test(file.path) || isTest(file) || isGuarded) return []
  return importsOf(file).some((specifier) => /^kafkajs($|\/)/.test(specifier))
    ? ['kafkajs stays behind a port, in the files named kafka-*.ts']
    : []
}

/** A client that is made elsewhere could not read what a topic's compression.type has compressed. */
function checkClients(file: SourceFile): string[] {
  if (!/^(services|cli|tools\/bench|packages\/engines)\//.test(file.path) || isTest(file)) return []
  return /\bnew (?:kafkajs\.)?Kafka\(/.test(file.text) ? ['createKafka of packages/kafka makes a client'] : []
}

/** A program reads the environment in one place. */
function checkEnvironment(file: SourceFile): string[] {
  if (!/^(services|cli|db|packages\/(events|runtime))\//.test(file.path) || isTest(file)) return []
  const isEntry = /\/(main|[a-z]+-main|read-config)\.ts$/.test(file.path)
  return !isEntry && /\bprocess\.env\b/.test(file.text) ? ['only an entry point reads the environment'] : []
}

/** The API prepares its statements: Postgres refuses a prepared statement whose columns have changed. */
function checkColumns(file: SourceFile): string[] {
  const isPrepared = file.path.startsWith('services/api/src/')
  return isPrepared && /\b(selectAll|returningAll)\(/.test(file.text)
    ? ['a prepared statement names its columns: a migration may add one']
    : []
}

function checkSize({ text }: SourceFile): string[] {
  const lines = text.split('\n').length
  return lines > FILE_LINES_MAX ? [`${lines} lines; a file has ${FILE_LINES_MAX} at most`] : []
}

function checkLeftovers({ text }: SourceFile): string[] {
  const [word] = /\b(TODO|FIXME|XXX|HACK)\b/.exec(text) ?? []
  return word ? [`${word}: finish it, or write an issue`] : []
}

const SOURCE_RULES = [
  checkDirections,
  checkLayers,
  checkKafkajs,
  checkClients,
  checkEnvironment,
  checkColumns,
  checkSize,
  checkLeftovers,
]

/** The repository must not name paths or registries of the machine on which it was developed. */
function checkPrivacy({ path, text }: SourceFile): Finding[] {
  const patterns = [
    /\/root\/|\/home\/[a-z]+\/|\/work\/(main|shared)/,
    /https?:\/\/[^\s'"]*(artifactory|nexus|jfrog|registry\.[a-z]+\.(internal|local))/i,
  ]
  return patterns.some((pattern) => pattern.test(text))
    ? [{ path, rule: 'names a path or a registry of one machine' }]
    : []
}

/** Landed migrations and releases stay as they are; titles of tests are sentences of their own. */
const WORDS_STAY = /(^CHANGELOG\.md|^db\/schema\.sql|^db\/migrations\/|\/test\/|\.test\.yaml$)/

/** Words that make a reader read a sentence twice: who does what is said with a noun, and in the active voice. */
export function checkWords({ path, text }: SourceFile): Finding[] {
  const [words] = /\b(whoever|by whom|(?:is|are) told|nobody is believed)\b/i.exec(text) ?? []
  return words && !WORDS_STAY.test(path) ? [{ path, rule: `"${words}": say who does it, in plain words` }] : []
}

/** Checks source files against all rules. */
export function checkHouseRules(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) =>
    SOURCE_RULES.flatMap((check) => check(file).map((rule) => ({ path: file.path, rule }))),
  )
}

function readFiles(pattern: string): SourceFile[] {
  const paths = globSync(pattern, {
    cwd: ROOT,
    exclude: (path) => /(^|\/)(node_modules|\.local|\.git)(\/|$)/.test(String(path)),
  })
  return paths
    .sort()
    .map((path) => ({ path: relative(ROOT, join(ROOT, path)), text: readFileSync(join(ROOT, path), 'utf8') }))
}

if (import.meta.main) {
  const sources = readFiles(SOURCES)
  const isExempt = ({ path }: SourceFile): boolean => /house-rules(\.test)?\.ts$/.test(path) || path === GENERATED_TYPES
  const texts = readFiles(TEXTS).filter((file) => !isExempt(file))
  const findings = [
    ...checkHouseRules(sources.filter((file) => !isExempt(file))),
    ...texts.flatMap((text) => [...checkPrivacy(text), ...checkWords(text)]),
  ]
  for (const { path, rule } of findings) console.error(`${path}: ${rule}`)
  console.log(`${sources.length} source files, ${findings.length} findings`)
  process.exitCode = findings.length > 0 || sources.length === 0 ? 1 : 0
}
