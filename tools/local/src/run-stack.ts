import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { boundLogFiles } from './bound-log-files.ts'
import { endLeftovers } from './end-leftovers.ts'
import { loadIdentity } from './identity.ts'
import { type InstanceLock, takeInstanceLock } from './instance-lock.ts'
import type { LocalConfig } from './local-config.ts'
import { planServices } from './plan-services.ts'
import { runDemo } from './run-demo.ts'
import { type Engines, runEngines } from './run-engines.ts'
import { showStack } from './screen.ts'
import { createServiceLog } from './service-log.ts'
import { createServiceRoles, migrateAndGrant, type ServiceUrls, shareDatabaseUrl } from './service-roles.ts'
import type { StackDeps } from './stack-deps.ts'
import { readStack, removeStack, type Stack, writeStack } from './stack-file.ts'
import type { StartArguments } from './start-arguments.ts'
import { untilAborted } from './stop-signal.ts'
import { type SupervisedService, superviseService } from './supervise-service.ts'

const LOCK_HOLDER_WORDS = ['tools/local/src/start.ts']

/** Brings everything up, keeps it up until asked to stop, and takes it down in order. Returns the exit code. */
export async function runStack(options: StartArguments, deps: StackDeps): Promise<number> {
  const { config, stop } = deps
  const lock = takeInstanceLock(config.localDir, LOCK_HOLDER_WORDS)
  try {
    if ('heldBy' in lock) return await joinRunningStack(options, deps, lock.heldBy)
    return await runLocked(options, deps, lock)
  } catch (error) {
    if (stop.stop.aborted) return 0 // whatever was under way was cut short on request
    throw error
  }
}

async function runLocked(options: StartArguments, deps: StackDeps, lock: InstanceLock): Promise<number> {
  const { config, screen, stop } = deps
  await using cleanup = new AsyncDisposableStack()
  cleanup.defer(() => lock.release())
  removeStack(config.localDir)
  await endLeftovers(lock.leftovers, screen.progress)

  const services: SupervisedService[] = []
  let engines: Engines | undefined
  let up = false
  const publish = () => {
    const stack = describeStack(config, services, engines)
    lock.record(stack.processes)
    if (up) writeStack(config.localDir, stack)
  }
  engines = await runEngines(config, { screen, signal: stop.stop, onProcess: publish })
  cleanup.defer(() => stopEngines(engines as Engines, deps))
  publish()
  if (stop.stop.aborted) return 0

  cleanup.defer(() => stopServices(services, deps))
  stop.hurry.addEventListener('abort', () => {
    for (const service of services) service.kill()
    engines.kill()
  })
  const { databaseUrl } = engines
  const databaseUrls = config.databaseUrl ? shareDatabaseUrl(databaseUrl) : await createServiceRoles(databaseUrl)
  const granted = config.databaseUrl ? undefined : migrateAndGrant(databaseUrl, databaseUrls, stop.stop)
  granted?.catch(() => {}) // not unhandled: it is awaited below
  await startServices(services, { ...deps, options, engines, databaseUrls, publish })
  await untilReady(services, granted, deps)
  if (stop.stop.aborted) return 0

  up = true
  cleanup.defer(() => removeStack(config.localDir))
  publish()
  showStack(screen, describeStack(config, services, engines), config.localDir)
  if (options.demo) await runDemo(stop.stop)
  await untilStopped(config, stop.stop)
  return 0
}

/** A second start in the same folder: plays the demo against the stack that is up, or says where that is. */
async function joinRunningStack(
  { demo }: StartArguments,
  { config, screen, stop }: StackDeps,
  pid: number,
): Promise<number> {
  const running = readStack(config.localDir)
  if (demo && running) {
    await runDemo(stop.stop)
    return 0
  }
  const where = running ? `, ${running.api[0] ?? 'without an API'}` : ''
  screen.warn(
    `StreamLedger is running here already (pid ${pid}${where}): stop that one first. ${config.localDir}/stack.json describes it.`,
  )
  return 1
}

type Starting = StackDeps & {
  options: StartArguments
  engines: Engines
  databaseUrls: ServiceUrls
  publish: () => void
}

async function startServices(services: SupervisedService[], starting: Starting): Promise<void> {
  const { config, screen, options, engines, databaseUrls, publish } = starting
  const { kafkaBrokers } = engines
  mkdirSync(config.exportDir, { recursive: true })
  const identity = loadIdentity(config.localDir, process.env)
  const plans = await planServices({ replicas: options.replicas, config, identity, databaseUrls, kafkaBrokers })
  for (const plan of plans) {
    const report = (line: string) => screen.warn(line)
    const log = createServiceLog(join(config.logDir, `${plan.name}.log`), (line) => report(`${plan.name}: ${line}`))
    services.push(superviseService(plan, { log, report, progress: screen.progress, onProcess: publish }))
  }
}

async function untilReady(
  services: readonly SupervisedService[],
  granted: Promise<void> | undefined,
  { screen, stop }: StackDeps,
): Promise<void> {
  const each = services.map(async ({ plan, ready }) => {
    await ready
    if (!stop.stop.aborted) screen.progress(`${plan.name} is ready`)
  })
  await Promise.race([Promise.all([granted, ...each]), untilAborted(stop.stop)])
}

async function untilStopped({ logDir }: LocalConfig, stop: AbortSignal): Promise<void> {
  const bounding = boundLogFiles([join(logDir, 'postgres.log'), join(logDir, 'kafka.log')])
  await untilAborted(stop)
  clearInterval(bounding)
}

async function stopServices(services: readonly SupervisedService[], { screen }: StackDeps): Promise<void> {
  await Promise.all(services.map((service) => service.stop()))
  screen.progress('the services have stopped')
}

async function stopEngines(engines: Engines, { screen }: StackDeps): Promise<void> {
  await engines.stop()
  if (engines.processes.length > 0) screen.progress('the engines have stopped')
}

function describeStack(
  config: LocalConfig,
  services: readonly SupervisedService[],
  engines: Engines | undefined,
): Stack {
  const running = services.flatMap(({ plan, pid }) =>
    pid === undefined ? [] : [{ role: plan.role, name: plan.name, pid }],
  )
  return {
    api: services.flatMap(({ plan }) => plan.url ?? []),
    ops: services.map(({ plan }) => ({ name: plan.name, url: plan.opsUrl })),
    databaseUrl: engines?.databaseUrl ?? '',
    kafkaBrokers: engines?.kafkaBrokers ?? null,
    topic: config.topic,
    processes: [
      { role: 'supervisor', name: 'supervisor', pid: process.pid },
      ...(engines?.processes ?? []),
      ...running,
    ],
  }
}
