import { constants } from 'node:os'
import { migrate } from '@streamledger/db'
import { listDescendants, signalProcess } from '@streamledger/engines'
import pg from 'pg'
import { getContainerRuntimeClient } from 'testcontainers'
import type { TestProject } from 'vitest/node'
import { buildPrograms } from './build-programs.ts'
import { startContainerEngines } from './container-engines.ts'
import type { DoorPorts } from './kafka-door.ts'
import { startEmbeddedEngines, type TestEngines } from './test-engines.ts'

const TEMPLATE = 'streamledger_template'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server's maintenance database; tests clone theirs from `templateDatabase`. */
    postgresUrl: string
    templateDatabase: string
    brokers: string
    kafkaDoors: readonly DoorPorts[]
  }
}

/** Starts the engines once a run, migrates the template once, and tells the tests where they are. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stopWatching = endDescendantsOnSignal()
  const [engines] = await Promise.all([startEngines(), buildPrograms()])
  try {
    project.provide('postgresUrl', engines.postgresUrl)
    project.provide('templateDatabase', await createTemplate(engines.postgresUrl))
    project.provide('brokers', engines.brokers)
    project.provide('kafkaDoors', engines.kafkaDoors)
  } catch (error) {
    await engines.stop()
    throw error
  }
  return async () => {
    await engines.stop()
    stopWatching()
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** A signal ends vitest without its teardown: then what it and its workers have started is ended here. */
function endDescendantsOnSignal(): () => void {
  const end = (signal: NodeJS.Signals) => {
    for (const pid of listDescendants(process.pid)) signalProcess(pid, 'SIGKILL')
    process.exit(128 + constants.signals[signal]) // as a shell reports it
  }
  // They stay: signal-exit, which testcontainers brings, would end the process before its exit handlers have run.
  for (const signal of SIGNALS) process.on(signal, end)
  return () => {
    for (const signal of SIGNALS) process.off(signal, end)
  }
}

async function startEngines(): Promise<TestEngines> {
  const wanted = process.env.TEST_ENGINES || ((await dockerAnswers()) ? 'containers' : 'embedded')
  if (wanted === 'containers') return startContainerEngines()
  if (wanted === 'embedded') return startEmbeddedEngines()
  throw new Error(`TEST_ENGINES is "${wanted}"; it may be "embedded" or "containers"`)
}

async function dockerAnswers(): Promise<boolean> {
  try {
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}

async function createTemplate(postgresUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  try {
    await client.query(`create database ${TEMPLATE}`)
    const url = new URL(postgresUrl)
    url.pathname = TEMPLATE
    await migrate(url.href)
    return TEMPLATE
  } finally {
    await client.end()
  }
}
