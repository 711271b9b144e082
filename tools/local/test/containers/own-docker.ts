import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnEngine, tailOf, takeRunLock, waitUntilReady } from '@streamledger/engines'
import { createDockerCli, type DockerCli, runToEnd } from './docker-cli.ts'
import { noteFirewall } from './note-firewall.ts'

const READY_DEADLINE_MS = 60_000
const READY_INTERVAL_MS = 100
const STOP_DEADLINE_MS = 60_000
// What is still running when the engine is ended belongs to a run that has failed.
const SHUTDOWN_TIMEOUT_S = 5
// A service needs 16,384 client connections. Some machines allow no more open files than this.
const OPEN_FILES_MAX = 16_384

export type OwnDocker = { readonly docker: DockerCli; stop(): Promise<void> }

/** Starts a Docker engine whose images, containers, networks and socket are its own; nothing of them stays when it stops. */
export async function startOwnDocker(cacheDir: string): Promise<OwnDocker> {
  const dir = join(cacheDir, 'docker')
  const lock = await takeRunLock({ dir: cacheDir, name: 'test:containers', entry: 'vitest.containers.config.ts' })
  // A socket's path has 107 characters at most, and the engine's own are deep: they cannot be in the clone's folder.
  const runDir = join(tmpdir(), `streamledger-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`)
  const clear = async () => {
    for (const folder of [runDir, dir]) await removeFolder(folder)
  }
  await clear()
  mkdirSync(runDir, { mode: 0o700 })
  const host = `unix://${join(runDir, 'docker.sock')}`
  const logFile = join(cacheDir, 'dockerd.log')
  const firewall = await noteFirewall()
  const engine = await spawnEngine({
    command: 'dockerd',
    args: [
      ...['--data-root', dir, '--exec-root', join(runDir, 'exec'), '--pidfile', join(runDir, 'docker.pid')],
      ...['--host', host, '--shutdown-timeout', String(SHUTDOWN_TIMEOUT_S)],
      ...['--default-ulimit', `nofile=${OPEN_FILES_MAX}:${OPEN_FILES_MAX}`],
    ],
    env: process.env,
    logFile,
  })
  lock.record({ pid: engine.pid, words: ['dockerd', dir], signal: 'SIGTERM' })
  // A distribution's Docker has no buildx.
  const docker = createDockerCli({ ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0' })
  const stop = async () => {
    await engine.stop('SIGTERM', STOP_DEADLINE_MS)
    await firewall.restore()
    await clear()
    lock.release()
  }
  const limits = { deadlineMs: READY_DEADLINE_MS, intervalMs: READY_INTERVAL_MS }
  if (await waitUntilReady(engine, async () => void (await docker.run(['info'])), limits)) return { docker, stop }
  const tail = tailOf(logFile)
  await stop()
  throw new Error(`dockerd cannot run on this machine. Its log, ${logFile}, ends with:\n${tail}`)
}

/** An engine that has stopped leaves some of its folders mounted. */
async function removeFolder(folder: string): Promise<void> {
  const points = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[1] ?? [])
    .filter((point) => point.startsWith(`${folder}/`))
  for (const point of points.reverse()) await runToEnd('umount', [point])
  rmSync(folder, { recursive: true, force: true })
}
