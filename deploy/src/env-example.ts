// Writes .env.example to stdout: the variables of the services and of the CLI, by their own configurations, then those of
// the stack and of the tests.

/** The parts of a configuration's schema that are read here. */
interface Schema {
  properties: Record<string, { description?: string; default?: unknown }>
  required?: readonly string[]
}

export const CONFIG_FILES = {
  api: 'services/api/src/config.ts',
  relay: 'services/relay/src/config.ts',
  exporter: 'services/exporter/src/config.ts',
  audit: 'cli/src/audit/config.ts',
} as const
export type ServiceName = keyof typeof CONFIG_FILES

/** The variables of each service and of the audit: `<service>Env` of its config.ts. */
export const SERVICES = Object.fromEntries(
  await Promise.all(
    Object.entries(CONFIG_FILES).map(async ([name, file]) => {
      const config = await import(new URL(`../../${file}`, import.meta.url).href)
      return [name, config[`${name}Env`]] as const
    }),
  ),
) as Record<ServiceName, Schema>

const { streamledgerEnv } = await import(new URL('../../cli/src/config.ts', import.meta.url).href)

/** Every program that reads variables: the services, the audit, and the other commands of the CLI. */
const READERS: Readonly<Record<ReaderName, Schema>> = { ...SERVICES, streamledger: streamledgerEnv }
export type ReaderName = ServiceName | 'streamledger'

/** Further variables of `npm start` and docker-compose.yml, with their defaults. */
export const STACK_VARIABLES: Readonly<Record<string, { description: string; default: string }>> = {
  STACK: {
    description: 'How `npm start` runs: embedded (PostgreSQL and Kafka as local processes) or docker (docker compose).',
    default: 'embedded',
  },
  LOCAL_DIR: {
    description: 'Folder of `npm start`: data, logs, exports and stack.json. Another folder is another stack.',
    default: '.local',
  },
  POSTGRES_PORT: { description: 'Port of PostgreSQL on this machine.', default: '15432' },
  KAFKA_PORT: { description: 'Port of Kafka on this machine.', default: '19092' },
  POSTGRES_PASSWORD: {
    description:
      'Password of PostgreSQL in docker-compose.yml. It is part of a URL there, so use only letters and digits.',
    default: 'streamledger',
  },
  ...Object.fromEntries(
    ['api', 'relay', 'exporter', 'audit'].map((service) => [
      `POSTGRES_${service.toUpperCase()}_PASSWORD`,
      {
        description: `Password of the role of the ${service} in docker-compose.yml, set when the role is created. Letters and digits only.`,
        default: 'streamledger',
      },
    ]),
  ),
  POSTGRES_IMAGE: { description: 'Image of PostgreSQL in docker-compose.yml.', default: 'postgres:18' },
  KAFKA_IMAGE: { description: 'Image of Kafka in docker-compose.yml.', default: 'apache/kafka:4.2.2' },
  PROMETHEUS_PORT: { description: 'Port of Prometheus on this machine, with docker-compose.yml.', default: '9090' },
  PROMETHEUS_IMAGE: { description: 'Image of Prometheus in docker-compose.yml.', default: 'prom/prometheus:v2.53.3' },
  GRAFANA_PORT: { description: 'Port of Grafana on this machine, with docker-compose.yml.', default: '3001' },
  GRAFANA_PASSWORD: {
    description: "Password of Grafana's user `admin` in docker-compose.yml.",
    default: 'streamledger',
  },
  GRAFANA_IMAGE: { description: 'Image of Grafana in docker-compose.yml.', default: 'grafana/grafana:13.2.3' },
  OTEL_COLLECTOR_IMAGE: {
    description: 'Image of the OpenTelemetry collector in docker-compose.yml.',
    default: 'otel/opentelemetry-collector:0.165.0',
  },
  NODE_IMAGE: { description: 'Base image of the image of the services.', default: 'node:26.10.0-slim' },
  STREAMLEDGER_IMAGE: { description: 'Name of the image of the services.', default: 'streamledger:local' },
}

/** Variables of `npm test` and the other suites. They are read from the shell only, not from .env. */
export const TEST_VARIABLES: Readonly<Record<string, { description: string; default: string }>> = {
  TEST_ENGINES: {
    description:
      'Engines of the tests: embedded, or containers. Without it: containers if Docker answers, else embedded.',
    default: '',
  },
  TEST_WITHOUT: {
    description: 'Programs whose tests are left out, separated by commas: java, python, prometheus, helm, patroni.',
    default: '',
  },
}

export interface Variable {
  name: string
  description: string
  required: boolean
  /** The default in each program that reads it; undefined if it has none. */
  defaults: Partial<Record<ReaderName, string | undefined>>
}

/** Every variable of the services and the CLI, a shared one once. */
export function listVariables(): Variable[] {
  const variables = new Map<string, Variable>()
  for (const [reader, { properties, required }] of Object.entries(READERS) as [ReaderName, Schema][]) {
    for (const [name, schema] of Object.entries(properties)) {
      const { description = '', default: value } = schema
      const variable = variables.get(name) ?? { name, description, required: false, defaults: {} }
      // A service may add what the variable means to it; the shortest description holds for all.
      if (description.length < variable.description.length) variable.description = description
      variable.required ||= value === undefined && (required ?? []).includes(name)
      variable.defaults[reader] = value === undefined ? undefined : String(value)
      variables.set(name, variable)
    }
  }
  return [...variables.values()]
}

const HEADER = `# Every variable that StreamLedger reads, with its default and, in parentheses, the programs that read it; streamledger is
# the command line. Copy this file to .env and change what must differ: \`npm start\`, \`npm run streamledger\` and docker
# compose read it there. Required variables may stay empty: \`npm start\` sets all of them, docker compose all but
# INSTALLATION_ID and JWT_SECRET. Generated by deploy/src/env-example.ts.`

/** The text of .env.example. */
export function renderEnvExample(): string {
  const variables = listVariables()
  const required = variables.filter((variable) => variable.required)
  const optional = variables.filter((variable) => !variable.required)
  const isOf = (service: string) => (variable: Variable) => Object.keys(variable.defaults).join() === service
  const sections = {
    Required: required,
    'More than one program': optional.filter(({ defaults }) => Object.keys(defaults).length > 1),
    API: optional.filter(isOf('api')),
    Relay: optional.filter(isOf('relay')),
    Exporter: optional.filter(isOf('exporter')),
    Audit: optional.filter(isOf('audit')),
    'Command line': optional.filter(isOf('streamledger')),
  }
  const blocks = Object.entries(sections).map(([title, list]) => renderSection(title, list.map(renderVariable)))
  const stack = Object.entries(STACK_VARIABLES).map(
    ([name, { description, default: value }]) => `# ${description}\n# ${name}=${value}`,
  )
  const tests = Object.entries(TEST_VARIABLES).map(([name, { description }]) => `# ${name}: ${description}`)
  const sectionsBesides = [
    renderSection('The stack', stack),
    renderSection('The tests (set these in the shell: tests do not read .env)', tests),
  ]
  return `${[HEADER, ...blocks, ...sectionsBesides].join('\n\n')}\n`
}

function renderSection(title: string, variables: string[]): string {
  return [`# ---- ${title} ----`, ...variables].join('\n\n')
}

function renderVariable({ name, description, required, defaults }: Variable): string {
  const values = new Set(Object.values(defaults))
  const readers = Object.keys(defaults).join(', ')
  if (values.size > 1) {
    const each = Object.entries(defaults).map(([service, value]) => `${value} in the ${service}`)
    return `# ${description}\n# ${each.join(', ')}.\n# ${name}=`
  }
  const [value = ''] = values
  return `# ${description} (${readers})\n${required ? '' : '# '}${name}=${value}`
}

if (import.meta.main) process.stdout.write(renderEnvExample())
