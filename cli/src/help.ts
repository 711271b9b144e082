import type { Command } from './command.ts'
import { COMMANDS } from './commands.ts'

const NAME_WIDTH = 22

const COMMON = `
Every command:
  --json       print one JSON document on stdout, and nothing else
  --progress   report progress on stderr, even if that is not a terminal
  --help, -h   show this help

Exit code:
  0  all is well, the work is done, or nothing needs to be done; also for the plan of \`topic grow\` or \`grants\`
  1  faults were found
  2  wrong use, the command could not finish, or \`relay resolve\` or \`relay adopt-cluster\` without --yes; the message
     says why`

export function renderHelp(command: Command | undefined): string {
  if (command) return `streamledger ${command.name}: ${command.summary}\n\n${command.help.trim()}\n${COMMON}\n`
  const list = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(NAME_WIDTH)}${summary}`)
  return `streamledger <command> [options]: checks whether a StreamLedger installation keeps its promises, and
maintains its event stream.

Most commands only read. \`relay resolve\`, \`relay adopt-cluster\`, \`topic grow\` and \`grants\` show what they would do, and
do it only with --yes.
\`topic create\` creates a missing topic at once; it never changes an existing topic.

Commands:
${list.join('\n')}

\`streamledger verify --help\` explains one command, with examples. \`streamledger --version\` prints the release.

Environment, with the same values as for the services:
  DATABASE_URL    Postgres, as postgres://user:password@host:port/database
  KAFKA_BROKERS   Kafka, as host:port, several separated by commas (not needed for verify, outbox status and grants)
${COMMON}
`
}
