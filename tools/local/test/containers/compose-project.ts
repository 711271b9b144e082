import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { pickFreePort } from '@streamledger/engines'
import { expect, waitFor } from '@streamledger/testkit'
import { ROOT } from '../../src/local-config.ts'
import { createDockerCli } from './docker-cli.ts'

const HEALTHY_DEADLINE_MS = 120_000
const HEALTHY_INTERVAL_MS = 500

/** What `docker inspect` says of a container, as far as it is read here. */
export interface Container {
  State: { Status: string; StartedAt: string; ExitCode: number; Health?: { Status: string } }
  Config: { Labels: Record<string, string> }
  HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[] }
}

export type ComposeProject = Awaited<ReturnType<typeof createComposeProject>>

/**
 * docker-compose.yml as a project of its own, on free ports, with whatever this machine's .env says left aside. Only how often
 * health is asked for differs, since every restart is waited for until that has happened.
 */
export async function createComposeProject(dockerEnv: Record<string, string>, images: Record<string, string>) {
  const name = `streamledger-${randomUUID().slice(0, 8)}`
  const [api, postgres, kafka, prometheus] = await pickFreePorts(4)
  const variables = {
    ...{ PORT: api, POSTGRES_PORT: postgres, KAFKA_PORT: kafka, PROMETHEUS_PORT: prometheus },
    ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: `${randomUUID()}${randomUUID()}` },
  }
  const { PATH = '', HOME = '' } = process.env
  const names = { COMPOSE_PROJECT_NAME: name, COMPOSE_DISABLE_ENV_FILE: '1' }
  const env: Record<string, string | undefined> = { PATH, HOME, ...dockerEnv, ...images, ...variables, ...names }
  const docker = createDockerCli(env)
  const flags = ['--file', join(ROOT, 'docker-compose.yml'), '--file', join(import.meta.dirname, 'health.yml')]
  const compose = (...args: string[]) =>
    docker.run(['compose', ...flags, '--profile', '*', ...args], { timeoutMs: HEALTHY_DEADLINE_MS })

  const inspectAll = async (): Promise<Map<string, Container>> => {
    const ids = await docker.run(['ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${name}`])
    const containers = JSON.parse(await docker.run(['inspect', ...ids.split('\n').filter(Boolean)])) as Container[]
    return new Map(containers.map((each) => [each.Config.Labels['com.docker.compose.service'] ?? '', each]))
  }
  const untilHealthy = async (...services: string[]) =>
    waitFor(
      async () => {
        const containers = await inspectAll()
        for (const service of services) {
          const health = containers.get(service)?.State.Health?.Status
          expect({ service, health }).toEqual({ service, health: 'healthy' })
        }
      },
      { timeoutMs: HEALTHY_DEADLINE_MS, intervalMs: HEALTHY_INTERVAL_MS },
    )
  return {
    ...{ env, compose, untilHealthy },
    inspect: async (service: string) => (await inspectAll()).get(service),
    origin: `http://127.0.0.1:${api}`,
    brokers: `127.0.0.1:${kafka}`,
    prometheus: `http://127.0.0.1:${prometheus}`,
  }
}

async function pickFreePorts(count: number): Promise<string[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await pickFreePort())
  return [...ports].map(String)
}
