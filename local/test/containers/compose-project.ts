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
  HostConfig: { ReadonlyRootfs: boolean; CapDrop: string[] }
}

export type ComposeProject = Awaited<ReturnType<typeof createComposeProject>>

/** docker-compose.yml as a project of its own, on free ports, with whatever this machine's .env says left aside. */
export async function createComposeProject(dockerEnv: Record<string, string>, images: Record<string, string>) {
  const name = `streamledger-${randomUUID().slice(0, 8)}`
  const [api, postgres, kafka, prometheus] = await pickFreePorts(4)
  const variables = {
    ...{ PORT: api, POSTGRES_PORT: postgres, KAFKA_PORT: kafka, PROMETHEUS_PORT: prometheus },
    ...{ INSTALLATION_ID: randomUUID(), JWT_SECRET: `${randomUUID()}${randomUUID()}` },
  }
  const { PATH = '', HOME = '' } = process.env
  const docker = createDockerCli({ PATH, HOME, ...dockerEnv, ...images, ...variables })
  const flags = ['--project-name', name, '--file', join(ROOT, 'docker-compose.yml'), '--env-file', '/dev/null']
  const compose = (...args: string[]) =>
    docker.run(['compose', ...flags, '--profile', '*', ...args], { timeoutMs: HEALTHY_DEADLINE_MS })

  const inspect = async (service?: string): Promise<Container[]> => {
    const ids = (await compose('ps', '--all', '--quiet', ...(service ? [service] : []))).split('\n').filter(Boolean)
    return ids.length > 0 ? (JSON.parse(await docker.run(['inspect', ...ids])) as Container[]) : []
  }
  const untilHealthy = async (...services: string[]) =>
    waitFor(
      async () => {
        const states = await Promise.all(services.map(async (service) => [service, await inspect(service)] as const))
        for (const [service, [container]] of states) {
          expect({ service, health: container?.State.Health?.Status }).toEqual({ service, health: 'healthy' })
        }
      },
      { timeoutMs: HEALTHY_DEADLINE_MS, intervalMs: HEALTHY_INTERVAL_MS },
    )
  return {
    ...{ docker, compose, inspect, untilHealthy },
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
