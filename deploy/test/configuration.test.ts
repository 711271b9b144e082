import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readNodeFlags } from '@streamledger/engines'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { assertGrouped, renderConfiguration } from '../src/configuration-document.ts'
import {
  CONFIG_FILES,
  listVariables,
  renderEnvExample,
  SERVICES,
  type ServiceName,
  STACK_VARIABLES,
  TEST_VARIABLES,
} from '../src/env-example.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8')

interface ComposeService {
  read_only?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  image?: string
  build?: { dockerfile: string; args: { NODE_IMAGE: string } }
  command?: string[]
  environment?: Record<string, string | number | null>
  ports?: string[]
  volumes?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
  stop_grace_period?: string
  profiles?: string[]
}

const composeText = read('docker-compose.yml')
const compose = parse(composeText, { merge: true }) as {
  services: Record<string, ComposeService>
  volumes: Record<string, unknown>
}
const dockerfile = read('deploy/Dockerfile')
const root = JSON.parse(read('package.json')) as { config: { pnpm: string }; devDependencies: { node: string } }

const names = Object.keys(SERVICES) as ServiceName[]
const serviceOf = (name: string): ComposeService => compose.services[name] ?? {}
const variablesOf = (name: ServiceName): string[] => Object.keys(SERVICES[name].properties).sort()

/** What docker compose makes of `${NAME:-default}` and `${NAME:?message}` where only these variables are set. */
function interpolate(text: string, env: Record<string, string> = {}): string {
  return text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, operator: string, rest: string) => {
    const value = env[name] || (operator === '-' ? rest : undefined)
    if (value === undefined) throw new Error(`${name}: ${rest}`)
    return value
  })
}

const SECRETS = { INSTALLATION_ID: '0198f6f0-0000-7000-8000-000000000000', JWT_SECRET: 'x'.repeat(32) }

function environmentOf(name: string): Record<string, string> {
  const entries = Object.entries(serviceOf(name).environment ?? {})
  return Object.fromEntries(
    entries.flatMap(([key, value]) => (value === null ? [] : [[key, interpolate(String(value), SECRETS)]])),
  )
}

test('.env.example is what the configurations of the services make it', () => {
  expect(read('.env.example')).toBe(renderEnvExample())
})

test('.env.example names every variable of every service once, the required ones ready to be filled in', () => {
  const lines = read('.env.example').split('\n')
  const ready = lines.flatMap((line) => /^([A-Z0-9_]+)=$/.exec(line)?.[1] ?? [])
  const commented = lines.flatMap((line) => /^# ([A-Z0-9_]+)=/.exec(line)?.[1] ?? [])
  const variables = listVariables()
  expect(ready.sort()).toEqual(variables.filter(({ required }) => required).map(({ name }) => name).sort()) // biome-ignore format: one claim
  expect([...ready, ...commented].sort()).toEqual(
    [...variables.map(({ name }) => name), ...Object.keys(STACK_VARIABLES)]
      .filter((name, at, all) => all.indexOf(name) === at)
      .sort(),
  )
})

test('docs/configuration.md is what the configurations of the services make it, each variable once', () => {
  const text = read('docs/configuration.md')
  expect(text).toBe(renderConfiguration())
  const rows = [...text.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, name]) => name)
  expect(rows).toEqual([...new Set(rows)])
  expect(rows).toEqual(expect.arrayContaining(listVariables().map(({ name }) => name)))
})

test('ten variables that a production needs come first, and every row says when to change it', () => {
  const [, first = ''] = renderConfiguration().split('\n## ')
  expect(first).toMatch(/^What a production needs\n/)
  expect(first.match(/^\| `/gm)).toHaveLength(10)
  const unexplained = renderConfiguration().match(/^\| `.*\|\s*\|$/gm)
  expect(unexplained).toBeNull()
})

test('a variable in no group, in two, or that does not exist is refused by name', () => {
  expect(() => assertGrouped(['A', 'B'], ['A', 'B'])).not.toThrow()
  expect(() => assertGrouped(['A'], ['A', 'B'])).toThrow('in no group: B')
  expect(() => assertGrouped(['A', 'B', 'A'], ['A', 'B'])).toThrow('in two groups: A')
  expect(() => assertGrouped(['A', 'B'], ['A'])).toThrow('not a variable: B')
})

test('docs/configuration.md has what npm start and npm test read', () => {
  const files = ['tools/local/src', 'packages/testkit/src', 'packages/engines/src'].flatMap((folder) =>
    readdirSync(resolve(ROOT, folder)).map((file) => read(`${folder}/${file}`)),
  )
  const names = files.flatMap((text) => [...text.matchAll(/\benv\.([A-Z][A-Z_]+)/g)].map(([, name]) => name))
  const text = read('docs/configuration.md')
  expect(names).toContain('LOCAL_DIR')
  expect(names.filter((name) => name !== 'PATH' && !text.includes(`\n| \`${name}\` |`))).toEqual([])
})

test('a variable that several services read has one default, but for the port that each needs for itself', () => {
  const divided = listVariables().filter(({ defaults }) => new Set(Object.values(defaults)).size > 1)
  expect(divided.map(({ name }) => name)).toEqual(['OPS_PORT'])
})

test('.env.example names the CLI beside the relay where both make the topic', () => {
  const text = read('.env.example')
  for (const name of ['KAFKA_TOPIC', 'TOPIC_PARTITIONS', 'TOPIC_REPLICATION_FACTOR', 'RELAY_BATCH_BYTES_MAX'])
    expect(text).toMatch(new RegExp(`\\(.*relay, streamledger\\)\n# ${name}=`))
})

test('.env.example names the variables of the tests, and gives them no line to fill in', () => {
  for (const name of Object.keys(TEST_VARIABLES)) expect(read('.env.example')).toMatch(new RegExp(`^# ${name}: `, 'm'))
})

test.each(names)('docker-compose.yml hands the %s all of its variables, and no other', (name) => {
  const environment = serviceOf(name).environment ?? {}
  expect(Object.keys(environment).sort()).toEqual(variablesOf(name))
})

test.each(names)('the %s accepts what docker-compose.yml sets, and listens where others can reach it', async (name) => {
  const config = await import(resolve(ROOT, CONFIG_FILES[name]))
  const load = config[`load${name[0]?.toUpperCase()}${name.slice(1)}Config`] as (env: NodeJS.ProcessEnv) => object
  expect(JSON.stringify(load(environmentOf(name)))).toContain('"host":"0.0.0.0"')
  expect(() => load({ ...environmentOf(name), OPS_PORT: 'none' })).toThrow('OPS_PORT')
})

test('without its secrets docker-compose.yml refuses to start, and names each', () => {
  for (const name of ['INSTALLATION_ID', 'JWT_SECRET']) {
    const { [name as 'JWT_SECRET']: _, ...others } = SECRETS
    expect(() => interpolate(String(serviceOf('api').environment?.[name]), others)).toThrow(name)
  }
})

test('every default that docker-compose.yml fills in is the one that .env.example gives', () => {
  const variables = listVariables()
  const filled = [...composeText.matchAll(/\$\{(\w+):-([^}]*)\}/g)].map(([, name = '', value]) => ({ name, value }))
  expect(filled.length).toBeGreaterThan(0)
  for (const { name, value } of filled) {
    const shared = variables.find((variable) => variable.name === name)
    const expected = STACK_VARIABLES[name]?.default ?? (shared && Object.values(shared.defaults)[0])
    expect({ name, value }).toEqual({ name, value: expected })
  }
})

test.each(names)('the %s is checked on its own ops port, after the migration, with time to drain', (name) => {
  const { healthcheck, depends_on, stop_grace_period } = serviceOf(name)
  // By the image, which asks the port that the container was told.
  expect(healthcheck).toBeUndefined()
  expect(environmentOf(name).OPS_PORT).toMatch(/^\d+$/)
  expect(dockerfile).toMatch(/^HEALTHCHECK .*http:\/\/127\.0\.0\.1:\$\{process\.env\.OPS_PORT\}\/health\/ready/m)
  expect(depends_on?.migrate?.condition).toBe('service_completed_successfully')
  // The audit has none: it stops where it stands.
  const drainTimeoutMs = Number(
    listVariables().find((variable) => variable.name === 'DRAIN_TIMEOUT_MS')?.defaults[name] ?? 0,
  )
  expect(Number.parseInt(stop_grace_period ?? '', 10) * 1_000).toBeGreaterThan(drainTimeoutMs)
})

test('no container of docker-compose.yml has more than it needs', () => {
  for (const [name, { read_only, cap_drop, security_opt }] of Object.entries(compose.services)) {
    const confined = { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }
    expect({ name, read_only, cap_drop, security_opt }).toEqual({ name, ...confined })
  }
})

test('addresses lead where something listens', () => {
  expect(serviceOf('migrate').depends_on).toEqual({ postgres: { condition: 'service_healthy' } })
  expect(serviceOf('relay').depends_on?.kafka).toEqual({ condition: 'service_healthy' })
  const postgres = environmentOf('postgres')
  const migrate = environmentOf('migrate')
  for (const name of [...names, 'migrate']) {
    const { hostname, port, username, password, pathname } = new URL(environmentOf(name).DATABASE_URL ?? '')
    expect([hostname, port]).toEqual(['postgres', '5432'])
    if (name === 'migrate') expect([username, password]).toEqual([postgres.POSTGRES_USER, postgres.POSTGRES_PASSWORD])
    else expect(username).toBe(`streamledger_${name}`)
    expect(pathname).toBe(`/${postgres.POSTGRES_DB}`)
  }
  // The roles that it grants to are those of the services.
  expect(serviceOf('migrate').command).toContain('--grants')
  for (const name of names) {
    expect(migrate[`${name.toUpperCase()}_DATABASE_URL`]).toBe(environmentOf(name).DATABASE_URL)
  }
  expect(environmentOf('kafka').KAFKA_ADVERTISED_LISTENERS).toContain(
    `INSIDE://${environmentOf('relay').KAFKA_BROKERS}`,
  )
  expect(serviceOf('api').ports?.map((port) => port.split(':').at(-1))).toEqual([environmentOf('api').PORT])
})

test('API and exporter share the folder of the exports, which the image makes for their user', () => {
  const folder = environmentOf('exporter').EXPORT_DIR ?? ''
  expect(environmentOf('api').EXPORT_DIR).toBe(folder)
  for (const name of ['api', 'exporter']) expect(serviceOf(name).volumes).toEqual([`exports:${folder}`])
  expect(compose.volumes).toHaveProperty('exports')
  expect(dockerfile).toMatch(new RegExp(`install .*--owner=node .*${folder}( .*)?\\n`))
  expect(dockerfile).toContain('\nUSER node\n')
})

test('the audit runs only where it is asked for, and keeps its state in a folder that the image makes for its user', () => {
  expect(serviceOf('audit').profiles).toEqual(['audit'])
  const folder = dirname(environmentOf('audit').AUDIT_STATE_FILE ?? '')
  expect(serviceOf('audit').volumes).toEqual([`audit:${folder}`])
  expect(compose.volumes).toHaveProperty('audit')
  expect(dockerfile).toMatch(new RegExp(`install .*--owner=node .*${folder}\\n`))
  expect(environmentOf('audit').KAFKA_BROKERS).toBe(environmentOf('relay').KAFKA_BROKERS)
  expect(serviceOf('audit').command?.slice(2)).toEqual(['audit'])
})

test('every command runs a file that there is and that the image has', () => {
  const commands = [...names, 'migrate'].map((name) => serviceOf(name).command ?? [])
  expect(commands.map(([program]) => program)).toEqual(commands.map(() => 'node'))
  for (const command of commands) {
    const [file = ''] = command.filter((word) => word.endsWith('.ts'))
    // V8's flags can be set only at the start: those of the file's first line. `migrate` and the audit need none.
    if (file.startsWith('services/')) expect(command.slice(1, -1)).toEqual(readNodeFlags(resolve(ROOT, file)))
    expect({ file, exists: existsSync(resolve(ROOT, file)) }).toEqual({ file, exists: true })
    const folder = file.slice(0, file.indexOf('/src/') + '/src'.length)
    expect(dockerfile).toContain(`\nCOPY ${folder} ${folder}\n`)
  }
})

test('the image is made of the versions and the packages of the workspace', () => {
  expect(dockerfile).toContain(`ARG PNPM_VERSION=${root.config.pnpm}\n`)
  expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${root.devDependencies.node}-slim\n`)
  expect(STACK_VARIABLES.NODE_IMAGE?.default).toBe(`node:${root.devDependencies.node}-slim`)
  const lockfile = parse(read('pnpm-lock.yaml')) as { importers: Record<string, unknown> }
  const packages = Object.keys(lockfile.importers).filter((path) => path !== '.')
  const copied = [...dockerfile.matchAll(/^COPY (\S+)\/package\.json \1\/$/gm)].map(([, path]) => path)
  expect(copied.sort()).toEqual(packages.sort())
})

test('whatever the Dockerfile copies is sent to the builder', () => {
  const sent = read('.dockerignore')
    .split('\n')
    .flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? [])
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '))
  expect(copied.length).toBeGreaterThan(10)
  expect(copied.filter((path) => !sent.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)))).toEqual([])
})

test('the image has the code of every package that a service or the CLI imports', () => {
  const needed = new Set<string>()
  const add = (folder: string): void => {
    if (needed.has(folder)) return
    needed.add(folder)
    const { dependencies = {} } = JSON.parse(read(`${folder}/package.json`)) as {
      dependencies?: Record<string, string>
    }
    const own = Object.keys(dependencies).filter((name) => name.startsWith('@streamledger/'))
    for (const name of own) add(name === '@streamledger/db' ? 'db' : name.replace('@streamledger', 'packages'))
  }
  for (const file of Object.values(CONFIG_FILES)) add(file.slice(0, file.indexOf('/src/')))
  add('cli')
  const copied = [...dockerfile.matchAll(/^COPY (\S+)\/src \1\/src$/gm)].map(([, folder]) => folder)
  expect(copied.sort()).toEqual([...needed].sort())
  expect(dockerfile).toContain('\nCOPY db/migrations db/migrations\n')
})
