import { parseInOneLine } from '@streamledger/engines'

// Enough for one machine: each replica is a process with its own connection pool.
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
  --demo         shows the main features once on the running stack, and checks them
  --help         shows this help

Variables, also read from .env: PORT (3000), OPS_PORT (9100, and the next free ones), POSTGRES_PORT (15432),
KAFKA_PORT (19092); DATABASE_URL and KAFKA_BROKERS to use your own PostgreSQL and Kafka; STACK=docker for docker
compose; LOCAL_DIR (.local) for the folder of the stack: another folder and other ports make a second stack.`

/** @throws Error, one line, for wrong arguments. */
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
  throw new Error(`--${role} must be a number from 0 to ${REPLICAS_MAX}, not "${text}"`)
}
