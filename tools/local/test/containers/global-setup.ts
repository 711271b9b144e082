import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createScreen } from '@streamledger/engines'
import type { TestProject } from 'vitest/node'
import { ROOT } from '../../src/local-config.ts'
import { createDockerCli, type DockerCli } from './docker-cli.ts'
import { fetchComposePlugin, installPrograms } from './docker-tools.ts'
import { startOwnDocker } from './own-docker.ts'
import { assembleEngines, assembleNode, IMAGE_VARIABLES, type Images } from './stand-ins.ts'

const CACHE_DIR = join(ROOT, '.local', 'containers')
const IMAGE = 'streamledger:test'
const BUILD_TIMEOUT_MS = 600_000

type Progress = (line: string) => void

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
  const given = givenImages(process.env)
  const { docker, stop } = await findEngine(progress)
  try {
    if (!given) await prepareForStandIns(progress)
    // Each mostly waits for a registry or for a disk, or keeps one core busy.
    const [plugin, engines, ours] = await untilAllEnd([
      timed('docker compose', findComposePlugin(docker), progress),
      given ?? timed('the images of the engines', assembleEngines(docker, CACHE_DIR), progress),
      buildOurs(docker, given, progress),
    ])
    project.provide('dockerEnv', { ...pickDockerVariables(docker.env), ...plugin })
    project.provide('images', { ...engines, ...ours })
  } catch (error) {
    await stop()
    throw error
  }
  return async () => {
    await stop()
    progress('Docker is as it was')
  }
}

async function findEngine(progress: Progress) {
  const given = createDockerCli(process.env)
  if (await succeeds(given, 'info')) {
    progress('a Docker engine answers: it is used')
    return { docker: given, stop: async () => {} }
  }
  await prepareForOwn(progress)
  const own = await startOwnDocker(CACHE_DIR)
  progress('no Docker engine answered: one of our own is up')
  return own
}

/** The variable by which `docker compose` is found, where it is not found without. */
async function findComposePlugin(docker: DockerCli): Promise<Record<string, string>> {
  return (await succeeds(docker, 'compose', 'version')) ? {} : { DOCKER_CONFIG: await fetchComposePlugin(CACHE_DIR) }
}

function succeeds(docker: DockerCli, ...args: string[]): Promise<boolean> {
  return docker.run(args).then(
    () => true,
    () => false,
  )
}

/** Waits until all have ended, so that the engine is not stopped while something uses it. */
async function untilAllEnd<Results extends unknown[]>(
  work: { [At in keyof Results]: Results[At] | Promise<Results[At]> },
) {
  const ended = await Promise.allSettled(work)
  const failed = ended.find((each) => each.status === 'rejected')
  if (failed) throw failed.reason
  return Promise.all(work) as Promise<Results>
}

async function timed<Result>(what: string, work: Promise<Result>, progress: Progress): Promise<Result> {
  const startedAt = performance.now()
  const result = await work
  progress(`${what}: took ${Math.round((performance.now() - startedAt) / 1_000)} s`)
  return result
}

async function prepareForOwn(progress: Progress): Promise<void> {
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

async function prepareForStandIns(progress: Progress): Promise<void> {
  progress(`assembling stand-ins of the official images; to use those, set ${IMAGE_VARIABLES.join(', ')}`)
  await installPrograms(['mmdebstrap'], progress)
}

/** The image of the services, on the given image of Node or on its stand-in. */
async function buildOurs(docker: DockerCli, given: Images | undefined, progress: Progress) {
  const { NODE_IMAGE } = given ?? (await timed('the image of Node', assembleNode(docker, CACHE_DIR), progress))
  const file = join(ROOT, 'deploy', 'Dockerfile')
  // The host's network: an engine that was started for this run has no resolver of its own to offer a build.
  const flags = ['--network', 'host', '--build-arg', `NODE_IMAGE=${NODE_IMAGE}`, '--file', file, '--tag', IMAGE]
  await timed('our image', docker.run(['build', ...flags, ROOT], { timeoutMs: BUILD_TIMEOUT_MS }), progress)
  const bytes = Number(await docker.run(['image', 'inspect', '--format', '{{.Size}}', IMAGE]))
  progress(`our image has ${Math.round(bytes / 1e6)} MB, those of Node included`)
  return { NODE_IMAGE, STREAMLEDGER_IMAGE: IMAGE }
}

function pickDockerVariables(env: NodeJS.ProcessEnv): Record<string, string> {
  const entries = Object.entries(env).filter(([name]) => name.startsWith('DOCKER_'))
  return Object.fromEntries(entries) as Record<string, string>
}
