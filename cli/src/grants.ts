import {
  DatabaseError,
  type GrantsPlan,
  isDenied,
  isRetryable,
  planAndApply,
  planGrants,
  readServiceRoles,
  SERVICES,
  type ServiceRole,
} from '@streamledger/db'
import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadDatabaseConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { withDatabase } from './with-database.ts'

const HELP = `
Usage: streamledger grants [--api ROLE --relay ROLE --exporter ROLE [--audit ROLE]] [--yes] [--json]

Gives the database role of each service what the service needs, and takes away what it does not: docs/roles.md lists it. Run it
with the role that owns the tables, after each migration. Without --yes it only shows the statements, and exits 0. It may run
while the services run, and repeatedly: if the roles have their privileges, there is nothing to do.

The roles are named by the options, or by the addresses that the services get as DATABASE_URL: API_DATABASE_URL,
RELAY_DATABASE_URL, EXPORTER_DATABASE_URL and, for the audit and the commands that only read, AUDIT_DATABASE_URL. A missing role
is created, with the password of its address; for that, your role needs CREATEROLE. No password is printed, and the password of
a role that exists is not changed.

Options:
  --api ROLE         the role of the API
  --relay ROLE       the role of the relay
  --exporter ROLE    the role of the exporter
  --audit ROLE       the role of the audit
  --yes              do it

Examples:
  streamledger grants --api api --relay relay --exporter exporter          show what would change
  streamledger grants --api api --relay relay --exporter exporter --yes`

/** Grants the services' database roles what they need. */
export const grants: Command = {
  name: 'grants',
  summary: "gives each service's database role its privileges",
  help: HELP,
  options: {
    ...Object.fromEntries(SERVICES.map((service) => [service, { type: 'string' as const }])),
    yes: { type: 'boolean' },
  },
  async run({ options, env }) {
    const { databaseUrl } = loadDatabaseConfig(env)
    const roles = readRoles(options, env)
    const yes = options.yes === true
    return withDatabase(
      databaseUrl,
      async (pool) => {
        const client = await pool.connect()
        try {
          const plan = await (yes ? planAndApply : planGrants)(client, roles)
          return renderResult(plan, yes)
        } catch (error) {
          throw explain(error)
        } finally {
          client.release()
        }
      },
      { writes: yes },
    )
  },
}

/** An option names a role that exists; its address in the environment is not read then. */
function readRoles(options: OptionValues, env: NodeJS.ProcessEnv): ServiceRole[] {
  const named = Object.fromEntries(
    SERVICES.flatMap((service) => (typeof options[service] === 'string' ? [[service, options[service]]] : [])),
  )
  try {
    return readServiceRoles(env, named)
  } catch (error) {
    const hint = 'Or name the roles: --api ROLE --relay ROLE --exporter ROLE.'
    throw new CliError('usage', `${(error as Error).message}. ${hint}`)
  }
}

function explain(error: unknown): unknown {
  if (error instanceof DatabaseError) return new CliError('unsuitable', error.message, { cause: error })
  if (isRetryable(error)) {
    const text = `A table was locked for too long (${(error as Error).message}). Run the command again: it continues where it ended.`
    return new CliError('incomplete', text, { cause: error })
  }
  if (isDenied(error)) {
    const text = `Postgres refuses it: ${(error as Error).message}. To create roles, your role needs CREATEROLE. Run the command again when it may: it continues where it ended.`
    return new CliError('unsuitable', text, { cause: error })
  }
  return error
}

function renderResult({ groups, warnings }: GrantsPlan, yes: boolean): CommandResult {
  const statements = groups.flat().map(({ shown }) => shown)
  const outcome = statements.length === 0 ? 'there' : yes ? 'granted' : 'planned'
  const texts = {
    there: 'The services have their privileges already. Nothing to do.',
    planned: 'Nothing was changed. Add --yes to do it.',
    granted: 'The services have their privileges.',
  }
  return {
    exitCode: EXIT.well,
    json: { command: 'grants', ok: true, outcome, statements, warnings },
    text: [...statements.map((statement) => `${statement};`), ...warnings, texts[outcome]].join('\n'),
  }
}
