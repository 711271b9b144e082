import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fetchKafkaJars, findPostgresPrograms } from '@streamledger/engines'
import { type DockerCli, runToEnd } from './docker-cli.ts'
import { MIRROR, SUITE } from './docker-tools.ts'

const STAND_INS = resolve(import.meta.dirname, '../../../../deploy/stand-ins')
const BOOTSTRAP_TIMEOUT_MS = 300_000
const BUILD_TIMEOUT_MS = 300_000
/** What Node and PostgreSQL link to, and whom they trust. */
const BASE_PACKAGES = ['ca-certificates', 'libatomic1', 'libstdc++6']
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
/** Of Kafka; of PostgreSQL, whose own package has neither `pg_isready` nor `createdb`; and of Prometheus, the whole. */
const ENGINE_PACKAGES = ['default-jre-headless', 'postgresql-client', 'prometheus']
type Debian = { name: string; packages: readonly string[] }
/** The npm that this release of Node comes with is not in its package. */
const NPM = 'npm@11.19.1'

/** The variables of docker-compose.yml that name images that can stand in for others. */
export const IMAGE_VARIABLES = ['NODE_IMAGE', 'POSTGRES_IMAGE', 'KAFKA_IMAGE', 'PROMETHEUS_IMAGE'] as const
export type Images = Record<(typeof IMAGE_VARIABLES)[number], string>

// What is assembled here behaves as the official images do as far as this repository uses them, where those cannot be pulled.

export async function assembleNode(docker: DockerCli, cacheDir: string): Promise<Pick<Images, 'NODE_IMAGE'>> {
  return withContexts(async (contexts) => {
    const [context, base] = await Promise.all([
      prepare(contexts, 'node', fillNode),
      importDebian(docker, cacheDir, { name: 'debian', packages: BASE_PACKAGES }),
    ])
    return { NODE_IMAGE: await buildStandIn(docker, context, base) }
  })
}

export async function assembleEngines(docker: DockerCli, cacheDir: string): Promise<Omit<Images, 'NODE_IMAGE'>> {
  return withContexts(async (contexts) => {
    const [postgres, kafka, prometheus, base] = await Promise.all([
      prepare(contexts, 'postgres', fillPostgres),
      prepare(contexts, 'kafka', fillKafka),
      prepare(contexts, 'prometheus', async () => {}),
      importDebian(docker, cacheDir, { name: 'debian-for-engines', packages: [...BASE_PACKAGES, ...ENGINE_PACKAGES] }),
    ])
    const build = (context: string) => buildStandIn(docker, context, base)
    const [POSTGRES_IMAGE, KAFKA_IMAGE, PROMETHEUS_IMAGE] = await Promise.all([
      build(postgres),
      build(kafka),
      build(prometheus),
    ])
    return { POSTGRES_IMAGE, KAFKA_IMAGE, PROMETHEUS_IMAGE }
  })
}

async function withContexts<Result>(assemble: (contexts: string) => Promise<Result>): Promise<Result> {
  const contexts = mkdtempSync(join(tmpdir(), 'stand-ins-'))
  try {
    return await assemble(contexts)
  } finally {
    rmSync(contexts, { recursive: true, force: true })
  }
}

async function prepare(contexts: string, name: string, fill: (context: string) => Promise<void>): Promise<string> {
  const context = join(contexts, name)
  mkdirSync(context)
  await fill(context)
  return context
}

async function fillNode(context: string): Promise<void> {
  cpSync(process.execPath, join(context, 'node'), { dereference: true })
  await runToEnd('npm', ['pack', '--silent', NPM], { cwd: context })
  await runToEnd('tar', ['--extract', '--file', `${NPM.replace('@', '-')}.tgz`], { cwd: context })
  renameSync(join(context, 'package'), join(context, 'npm'))
}

async function fillPostgres(context: string): Promise<void> {
  const { postgres } = await findPostgresPrograms()
  cpSync(dirname(dirname(postgres)), join(context, 'native'), { recursive: true, verbatimSymlinks: true })
  cpSync(join(STAND_INS, 'postgres-entrypoint.sh'), join(context, 'postgres-entrypoint.sh'))
}

async function fillKafka(context: string): Promise<void> {
  cpSync(await fetchKafkaJars(), join(context, 'jars'), { recursive: true })
  for (const file of ['kafka-entrypoint.sh', 'kafka-log4j2.properties'])
    cpSync(join(STAND_INS, file), join(context, file))
}

/** A small Debian with these packages, as an image. What it is made of is kept: that takes the longest. */
async function importDebian(docker: DockerCli, cacheDir: string, { name, packages }: Debian): Promise<string> {
  const trusts = existsSync(CERTIFICATES)
  // The certificates of a proxy that intercepts TLS, if there is one: builds fetch packages through it too.
  const trust = trusts ? [`--customize-hook=copy-in ${CERTIFICATES} ${dirname(CERTIFICATES)}`] : []
  const excluded = ['doc', 'info', 'locale', 'man'].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`)
  // Java's package links its manuals, in a folder that a Debian without manuals lacks.
  const manuals = '--essential-hook=mkdir --parents "$1/usr/share/man/man1"'
  const flags = ['--variant=minbase', `--include=${packages.join(',')}`, ...excluded, manuals, ...trust]
  const digest = createHash('sha256').update(flags.join('\n')).digest('hex').slice(0, 8)
  const archive = join(cacheDir, `${name}-${SUITE}-${digest}.tar`)
  if (!existsSync(archive)) {
    const draft = join(cacheDir, `${name}-draft.tar`)
    await runToEnd('mmdebstrap', [...flags, SUITE, draft, MIRROR], { timeoutMs: BOOTSTRAP_TIMEOUT_MS })
    renameSync(draft, archive)
  }
  const tag = `streamledger-stand-in/${name}`
  const env = trusts ? ['--change', `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`] : []
  await docker.run(['import', ...env, archive, tag])
  return tag
}

async function buildStandIn(docker: DockerCli, context: string, base: string): Promise<string> {
  const name = basename(context)
  const tag = `streamledger-stand-in/${name}`
  const file = join(STAND_INS, `${name}.Dockerfile`)
  const flags = ['--network', 'none', '--build-arg', `BASE_IMAGE=${base}`, '--file', file, '--tag', tag]
  await docker.run(['build', ...flags, context], { timeoutMs: BUILD_TIMEOUT_MS })
  return tag
}
