import { createServer } from 'node:net'
import { pickFreePort } from '@streamledger/engines'
import { expect, onTestFinished, test } from 'vitest'
import { loadLocalConfig } from '../src/local-config.ts'
import { planServices } from '../src/plan-services.ts'

const identity = { installationId: 'f2d3a1c8-4a4e-4d8f-9a54-0d2f7a0f6f11', jwtSecret: 'x'.repeat(48) }

async function plan(
  replicas: { api: number; relay: number; exporter: number },
  { kafkaBrokers }: { kafkaBrokers?: string },
) {
  const port = await pickFreePort()
  const config = loadLocalConfig({ PORT: String(port), OPS_PORT: String(port) })
  const databaseUrls = { api: 'postgres://api@db', relay: 'postgres://relay@db', exporter: 'postgres://exporter@db' }
  return { port, planning: () => planServices({ replicas, config, identity, databaseUrls, kafkaBrokers }) }
}

test('every process gets ports of its own, and the first API the one that was asked for', async () => {
  const { port, planning } = await plan({ api: 2, relay: 2, exporter: 1 }, { kafkaBrokers: '127.0.0.1:9092' })
  const plans = await planning()
  expect(plans.map(({ name }) => name)).toEqual(['api-1', 'api-2', 'relay-1', 'relay-2', 'exporter-1'])
  expect(plans[0]?.url).toBe(`http://127.0.0.1:${port}`)
  const ports = plans.flatMap(({ env }) => [env.PORT, env.OPS_PORT]).filter((each) => each !== undefined)
  expect(new Set(ports).size).toBe(7)
  for (const { role, env } of plans) expect(env.DATABASE_URL).toBe(`postgres://${role}@db`)
  expect(plans.every(({ env }) => env.NODE_ENV === 'production')).toBe(true)
})

test('without a Kafka there is no relay', async () => {
  const { planning } = await plan({ api: 1, relay: 2, exporter: 1 }, {})
  expect((await planning()).map(({ name }) => name)).toEqual(['api-1', 'exporter-1'])
})

test('a busy API port is one line that names the variable', async () => {
  const { port, planning } = await plan({ api: 1, relay: 0, exporter: 0 }, {})
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  await expect(planning()).rejects.toThrow(
    `Port ${port} is in use: end the program that uses it, or set PORT to another port.`,
  )
})
