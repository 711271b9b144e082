import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fetchKafkaJars, findPostgresPrograms } from '@streamledger/engines'
import { type DockerCli, runToEnd } from './docker-cli.ts'
import { MIRROR, SUITE } from './docker-tools.ts'

const STAND_INS = resolve(import.meta.dirname, '../../../deploy/stand-ins')
const BOOTSTRAP_TIMEOUT_MS = 300_000
const BUILD_TIMEOUT_MS = 300_000
/** What Node and PostgreSQL link to, and whom they trust. */
const BASE_PACKAGES = ['ca-certificates', 'libatomic1', 'libstdc++6']
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
const BASE_IMAGE = 'streamledger-stand-in/debian'
/** The npm that this release of Node comes with is not in its package. */
const NPM = 'npm@11.19.1'

/** The variables of docker-compose.yml that name images. */
export const IMAGE_VARIABLES = ['NODE_IMAGE', 'POSTGRES_IMAGE', 'KAFKA_IMAGE', 'PROMETHEUS_IMAGE'] as const
export type Images = Record<(typeof IMAGE_VARIABLES)[number], string>

/** Assembles images that behave as the official ones do as far as this repository uses them, where those cannot be pulled. */
export async function assembleStandIns(docker: DockerCli, cacheDir: string): Promise<Images> {
  const contexts = mkdtempSync(join(tmpdir(), 'stand-ins-'))
  try {
    const [node, postgres, kafka, prometheus] = await Promise.all([
      prepare(contexts, 'node', fillNode),
      prepare(contexts, 'postgres', fillPostgres),
      prepare(contexts, 'kafka', fillKafka),
      prepare(contexts, 'prometheus', async () => {}),
      importBase(docker, cacheDir),
    ])
    const build = (context: string) => buildStandIn(docker, context)
    const [NODE_IMAGE, POSTGRES_IMAGE, KAFKA_IMAGE, PROMETHEUS_IMAGE] = await Promise.all([
      build(node),
      build(postgres),
      build(kafka),
      build(prometheus),
    ])
    return { NODE_IMAGE, POSTGRES_IMAGE, KAFKA_IMAGE, PROMETHEUS_IMAGE }
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

/** A small Debian, as an image. What it is made of is kept: that takes the longest. */
async function importBase(docker: DockerCli, cacheDir: string): Promise<void> {
  const trusts = existsSync(CERTIFICATES)
  // Whoever sits behind a proxy that opens connections trusts it by this file: builds fetch packages through it, too.
  const trust = trusts ? [`--customize-hook=copy-in ${CERTIFICATES} ${dirname(CERTIFICATES)}`] : []
  const excluded = ['doc', 'info', 'locale', 'man'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`)
  const flags = ['--variant=minbase', `--include=${BASE_PACKAGES.join(',')}`, ...excluded, ...trust]
  const digest = createHash('sha256').update(flags.join('\n')).digest('hex').slice(0, 8)
  const archive = join(cacheDir, `debian-${SUITE}-${digest}.tar`)
  if (!existsSync(archive)) {
    const draft = join(cacheDir, 'draft.tar')
    await runToEnd('mmdebstrap', [...flags, SUITE, draft, MIRROR], { timeoutMs: BOOTSTRAP_TIMEOUT_MS })
    renameSync(draft, archive)
  }
  const env = trusts ? ['--change', `ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`] : []
  await docker.run(['import', ...env, archive, BASE_IMAGE])
}

async function buildStandIn(docker: DockerCli, context: string): Promise<string> {
  const name = basename(context)
  const tag = `streamledger-stand-in/${name}`
  const file = join(STAND_INS, `${name}.Dockerfile`)
  // The host's network: an engine that was started for this run has no resolver of its own to offer a build.
  const flags = ['--network', 'host', '--build-arg', `BASE_IMAGE=${BASE_IMAGE}`, '--file', file, '--tag', tag]
  await docker.run(['build', ...flags, context], { timeoutMs: BUILD_TIMEOUT_MS })
  return tag
}
