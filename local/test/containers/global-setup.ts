import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createScreen } from '@streamledger/engines'
import type { TestProject } from 'vitest/node'
import { ROOT } from '../../src/local-config.ts'
import { createDockerCli, type DockerCli } from './docker-cli.ts'
import { fetchComposePlugin, installPrograms } from './docker-tools.ts'
import { startOwnDocker } from './own-docker.ts'
import { assembleStandIns, IMAGE_VARIABLES, type Images } from './stand-ins.ts'

const CACHE_DIR = join(ROOT, '.local', 'containers')
const IMAGE = 'streamledger:test'
const BUILD_TIMEOUT_MS = 600_000

declare module 'vitest' {
  interface ProvidedContext {
    /** How `docker` reaches the engine of this run. */
    dockerEnv: Record<string, string>
    /** The variables of docker-compose.yml that name images. */
    images: Record<string, string>
  }
}

/** Finds or starts a Docker engine, has the images that everything else is made of, and builds ours. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { progress } = createScreen()
  mkdirSync(CACHE_DIR, { recursive: true })
  const { docker, stop } = await findEngine(progress)
  try {
    const images = givenImages(process.env) ?? (await standIns(docker, progress))
    progress('building our image')
    await buildOurs(docker, images)
    const bytes = Number(await docker.run(['image', 'inspect', '--format', '{{.Size}}', IMAGE]))
    progress(`built: ${Math.round(bytes / 1e6)} MB, that of Node included`)
    project.provide('dockerEnv', pickDockerVariables(docker.env))
    project.provide('images', { ...images, STREAMLEDGER_IMAGE: IMAGE })
  } catch (error) {
    await stop()
    throw error
  }
  return async () => {
    await stop()
    progress('Docker is as it was')
  }
}

async function findEngine(progress: (line: string) => void) {
  const given = createDockerCli(process.env)
  const answers = await given.run(['info']).then(
    () => true,
    () => false,
  )
  if (!answers) await prepareForOwn(progress)
  const own = answers ? { docker: given, stop: async () => {} } : await startOwnDocker(CACHE_DIR)
  progress(answers ? 'a Docker engine answers: it is used' : 'no Docker engine answered: one of our own is up')
  const composes = await own.docker.run(['compose', 'version']).then(
    () => true,
    () => false,
  )
  if (composes) return own
  const env = { ...own.docker.env, DOCKER_CONFIG: await fetchComposePlugin(CACHE_DIR) }
  return { docker: createDockerCli(env), stop: own.stop }
}

async function prepareForOwn(progress: (line: string) => void): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new Error('No Docker engine answers here, and only root can start one: start Docker, or run this as root.')
  }
  await installPrograms(['dockerd', 'docker', 'iptables-save', 'ip'], progress)
}

function givenImages(env: NodeJS.ProcessEnv): Images | undefined {
  const given = IMAGE_VARIABLES.filter((name) => env[name])
  if (given.length === 0) return undefined
  if (given.length === IMAGE_VARIABLES.length) {
    return Object.fromEntries(IMAGE_VARIABLES.map((name) => [name, env[name]])) as Images
  }
  throw new Error(`Set all of ${IMAGE_VARIABLES.join(', ')}, or none: then stand-ins are assembled.`)
}

async function standIns(docker: DockerCli, progress: (line: string) => void): Promise<Images> {
  progress(`assembling stand-ins of the official images; to use those, set ${IMAGE_VARIABLES.join(', ')}`)
  await installPrograms(['mmdebstrap'], progress)
  return assembleStandIns(docker, CACHE_DIR)
}

async function buildOurs(docker: DockerCli, { NODE_IMAGE }: Images): Promise<void> {
  const file = join(ROOT, 'deploy', 'Dockerfile')
  const flags = ['--network', 'host', '--build-arg', `NODE_IMAGE=${NODE_IMAGE}`, '--file', file, '--tag', IMAGE]
  await docker.run(['build', ...flags, ROOT], { timeoutMs: BUILD_TIMEOUT_MS })
}

function pickDockerVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).filter(([name]) => name.startsWith('DOCKER_'))
  return Object.fromEntries(entries) as Record<string, string>
}
