import { parseInOneLine } from '@streamledger/engines'

// A laptop's worth: each replica is a process with a connection pool of its own.
const REPLICAS_MAX = 16

export const ROLES = ['api', 'relay', 'exporter'] as const
export type Role = (typeof ROLES)[number]

export type StartArguments = {
  readonly replicas: Readonly<Record<Role, number>>
  readonly demo: boolean
  readonly help: boolean
}

export const USAGE = `npm start -- [options]

  --api N        how many API processes (1)
  --relay N      how many relay processes (1)
  --exporter N   how many exporter processes (1)
  --demo         plays the product's story once against the running stack
  --help         shows this

Variables, also read from .env: PORT (3000), OPS_PORT (9100, and the next free ones), POSTGRES_PORT (15432),
KAFKA_PORT (19092), DATABASE_URL and KAFKA_BROKERS to use engines of your own, STACK=docker for docker compose.`

/** @throws Error, one line, for arguments that make no sense. */
export function parseStartArguments(args: readonly string[]): StartArguments {
  const count = { type: 'string', default: '1' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseInOneLine({
    args: [...args],
    options: { api: count, relay: count, exporter: count, demo: flag, help: { ...flag, short: 'h' } },
  })
  const replicas = {
    api: parseReplicas('api', values.api),
    relay: parseReplicas('relay', values.relay),
    exporter: parseReplicas('exporter', values.exporter),
  }
  return { replicas, demo: values.demo, help: values.help }
}

function parseReplicas(role: Role, text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= REPLICAS_MAX) return Number(text)
  throw new Error(`--${role} wants a number from 0 to ${REPLICAS_MAX}, not "${text}"`)
}
