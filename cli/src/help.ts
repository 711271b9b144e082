import type { Command } from './command.ts'
import { COMMANDS } from './commands.ts'

const NAME_WIDTH = 16

const COMMON = `
Every command:
  --json       one JSON document on stdout, and nothing else there
  --progress   tells on stderr how far it is, also where that is no terminal
  --help, -h   shows this

Exit code:
  0  all is well
  1  faults were found
  2  wrong use, or it could not be done: the message says why`

export function renderHelp(command: Command | undefined): string {
  if (command) return `streamledger ${command.name}: ${command.summary}\n\n${command.help.trim()}\n${COMMON}\n`
  const list = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(NAME_WIDTH)}${summary}`)
  return `streamledger <command> [options]: tells whether a StreamLedger installation keeps its promises, and
sees to its event stream. What changes something shows first what it would do, and does it with --yes.

Commands:
${list.join('\n')}

Try \`streamledger verify --help\` for what one of them does, with examples; \`streamledger --version\` tells the release.

Environment, as the services have it:
  DATABASE_URL    Postgres, as postgres://user:password@host:port/database
  KAFKA_BROKERS   Kafka, as host:port, several separated by commas (not for verify and outbox status)
${COMMON}
`
}
