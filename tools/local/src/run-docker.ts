import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { loadIdentity } from './identity.ts'
import { type LocalConfig, ROOT } from './local-config.ts'
import { runDemo } from './run-demo.ts'
import { showStack } from './screen.ts'
import type { StackDeps } from './stack-deps.ts'
import { removeStack, type Stack, writeStack } from './stack-file.ts'
import type { StartArguments } from './start-arguments.ts'
import { untilAborted } from './stop-signal.ts'

const PROBE_TIMEOUT_MS = 20_000
// Images are pulled and built before. Only a migration and three small programs have to start.
const API_DEADLINE_MS = 180_000
const API_INTERVAL_MS = 500
const STOP_TIMEOUT_MS = 120_000

/** Runs the stack with docker compose instead of child processes. A stop stops the containers, which keep their data. */
export async function runDocker(options: StartArguments, deps: StackDeps): Promise<number> {
  const { config, screen, stop } = deps
  checkDocker()
  const env = dockerEnv(options, config)
  const scale = Object.entries(options.replicas).flatMap(([role, count]) => ['--scale', `${role}=${count}`])
  try {
    const code = await compose(['up', '--build', '--detach', ...scale], { env, signal: stop.stop })
    if (stop.stop.aborted) return 0
    if (code !== 0) throw new Error('docker compose could not bring the stack up, see above.')
    const stack = describeStack(options, config)
    await untilApiAnswers(stack, stop.stop)
    if (stop.stop.aborted) return 0
    writeStack(config.localDir, stack)
    showStack(screen, stack, config.localDir)
    screen.write('  docker compose logs --follow shows the logs of the containers.\n')
    if (options.demo) await runDemo(stop.stop)
    await untilAborted(stop.stop)
    return 0
  } finally {
    removeStack(config.localDir)
    await compose(['stop'], { env, signal: AbortSignal.any([stop.hurry, AbortSignal.timeout(STOP_TIMEOUT_MS)]) })
  }
}

function checkDocker(): void {
  const answers = (...args: string[]) => spawnSync('docker', args, { stdio: 'ignore', timeout: PROBE_TIMEOUT_MS })
  const embedded = 'or start without STACK=docker'
  if (answers('--version').error) throw new Error(`Docker was not found: install it, ${embedded}.`)
  if (answers('info').status !== 0) throw new Error(`Docker does not answer: start it, ${embedded}.`)
  if (answers('compose', 'version').status !== 0) {
    throw new Error(`Docker has no compose command: install its compose plugin, ${embedded}.`)
  }
}

/** Variables that the compose file requires: the id and secret of the installation, and a port for each API replica. */
function dockerEnv({ replicas }: StartArguments, { localDir, ports }: LocalConfig): NodeJS.ProcessEnv {
  const { installationId, jwtSecret } = loadIdentity(localDir, process.env)
  const portOfLast = ports.api + Math.max(replicas.api, 1) - 1
  return {
    ...process.env,
    INSTALLATION_ID: installationId,
    JWT_SECRET: jwtSecret,
    PORT: portOfLast === ports.api ? String(ports.api) : `${ports.api}-${portOfLast}`,
  }
}

/** Runs in its own process group, so that Ctrl-C reaches it only through this process. */
function compose(args: string[], { env, signal }: { env: NodeJS.ProcessEnv; signal: AbortSignal }): Promise<number> {
  const child = spawn('docker', ['compose', ...args], { cwd: ROOT, env, stdio: 'inherit', detached: true })
  const interrupt = () => void child.kill('SIGINT')
  signal.addEventListener('abort', interrupt)
  return new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('exit', (code) => {
      signal.removeEventListener('abort', interrupt)
      resolve(code ?? 1)
    })
  })
}

function describeStack({ replicas }: StartArguments, { ports, topic }: LocalConfig): Stack {
  const password = encodeURIComponent(process.env.POSTGRES_PASSWORD || 'streamledger')
  return {
    api: Array.from({ length: replicas.api }, (_, index) => `http://127.0.0.1:${ports.api + index}`),
    ops: [], // docker-compose.yml publishes no ops ports
    databaseUrl: `postgres://streamledger:${password}@127.0.0.1:${ports.postgres}/streamledger`,
    kafkaBrokers: `127.0.0.1:${ports.kafka}`,
    topic,
    processes: [{ role: 'supervisor', name: 'supervisor', pid: process.pid }],
  }
}

async function untilApiAnswers({ api }: Stack, stop: AbortSignal): Promise<void> {
  const deadline = performance.now() + API_DEADLINE_MS
  for (const base of api) {
    while (!stop.aborted && !(await answers(`${base}/api/v1/openapi.json`))) {
      if (performance.now() > deadline) throw new Error(`${base} does not answer: see docker compose logs.`)
      await delay(API_INTERVAL_MS)
    }
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(API_INTERVAL_MS * 4) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
