// Files that are generated and committed, so that a change to them is seen in review. Told --write, it makes them anew.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { dumpSchema, migrate } from '@streamledger/db'
import { asyncapiDocument } from '@streamledger/events'
import { stringify } from 'yaml'
import { makeDocumentsTable } from './documents-table.ts'
import { ROOT } from './local-config.ts'

interface Generated {
  path: string
  /** Returns what the file should hold. */
  make(databaseUrl: string): Promise<string>
}

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024
const YAML = { lineWidth: 0, aliasDuplicateObjects: false }

/** What a script prints. The services' own code runs in a process of its own: nothing imports a service. */
function print(script: string, ...args: string[]): string {
  return execFileSync(process.execPath, [join(ROOT, script), ...args], {
    encoding: 'utf8',
    maxBuffer: OUTPUT_BYTES_MAX,
  })
}

/** The document as types. It was made just before. */
function printOpenapiTypes(): string {
  const program = join(ROOT, 'packages/client/node_modules/.bin/openapi-typescript')
  return execFileSync(program, ['docs/openapi.json'], { cwd: ROOT, encoding: 'utf8', maxBuffer: OUTPUT_BYTES_MAX })
}

const copy = (from: string, path: string): Generated => ({
  path,
  make: async () => readFileSync(join(ROOT, from), 'utf8'),
})

const GENERATED: readonly Generated[] = [
  {
    path: 'db/schema.sql',
    make: async (databaseUrl) => {
      await migrate(databaseUrl)
      return dumpSchema(databaseUrl)
    },
  },
  { path: 'docs/openapi.json', make: async () => print('services/api/src/openapi-document.ts') },
  { path: 'docs/errors.md', make: async () => print('services/api/src/errors-document.ts') },
  { path: 'docs/alerts.md', make: async () => print('deploy/src/alerts-document.ts') },
  { path: 'docs/roles.md', make: async () => print('deploy/src/roles-document.ts') },
  { path: 'docs/metrics.md', make: async () => print('deploy/src/metrics-document.ts') },
  ...['api', 'relay', 'exporter'].map((service) => ({
    path: `deploy/grafana/${service}.json`,
    make: async () => print('deploy/src/dashboard-document.ts', service),
  })),
  // A chart can only read what is in its own folder.
  copy('deploy/prometheus/alerts.yaml', 'deploy/helm/files/alerts.yaml'),
  ...['api', 'relay', 'exporter'].map((service) =>
    copy(`deploy/grafana/${service}.json`, `deploy/helm/files/dashboards/${service}.json`),
  ),
  { path: 'deploy/helm/values.schema.json', make: async () => print('deploy/src/chart-schema.ts') },
  { path: 'packages/client/src/openapi.ts', make: async () => printOpenapiTypes() },
  { path: 'docs/asyncapi.yaml', make: async () => stringify(asyncapiDocument(), YAML) },
  { path: 'docs/README.md', make: async () => makeDocumentsTable() },
  { path: '.env.example', make: async () => print('deploy/src/env-example.ts') },
  { path: 'docs/configuration.md', make: async () => print('deploy/src/configuration-document.ts') },
]

const write = process.argv.includes('--write')
const databaseUrl = process.env.DATABASE_URL
if (!databaseUrl) throw new Error('DATABASE_URL must name an empty database: run `npm run check`')

let stale = 0
for (const { path, make } of GENERATED) {
  const wanted = await make(databaseUrl)
  const file = join(ROOT, path)
  if (read(file) === wanted) console.log(`${path} is up to date`)
  else if (write) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, wanted)
    console.log(`${path} written`)
  } else {
    stale += 1
    console.error(`${path} is not what the code makes: run \`npm run fix\` and commit it`)
  }
}
process.exitCode = stale > 0 ? 1 : 0

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
