// Prints docs/errors.md: every code that an answer may have.
import { accountErrors } from './accounts/errors.ts'
import { ledgerErrors } from './ledger/errors.ts'
import { exportErrors } from './ledger/export-errors.ts'
import { accountStatus, exportStatus, ledgerStatus, requestStatus } from './plugins/problem-status.ts'
import { requestErrors } from './request-error.ts'

interface Room {
  title: string
  details: Record<string, string>
  statuses: Record<string, number>
}

const ROOMS: readonly Room[] = [
  { title: 'Any request', details: requestErrors, statuses: requestStatus },
  { title: 'Accounts', details: accountErrors, statuses: accountStatus },
  { title: 'Wallet and transactions', details: ledgerErrors, statuses: ledgerStatus },
  { title: 'Exports', details: exportErrors, statuses: exportStatus },
]

/** What a program does next. */
function adviceOn(code: string, status: number): string {
  if (code === 'unauthenticated') return 'with a new token'
  switch (status) {
    case 408:
      return 'again'
    case 429:
    case 503:
      return 'again after `Retry-After`, with the same key'
    case 500:
      return 'again, with the same key; tell the operator'
    default:
      return 'not as it is'
  }
}

function tableOf({ title, details, statuses }: Room): string {
  const rows = Object.entries(statuses)
    .toSorted(([, one], [, other]) => one - other)
    .map(
      ([code, status]) =>
        `| ${status} | \`${code}\` | ${escapeHtml(details[code] ?? '')} | ${adviceOn(code, status)} |`,
    )
  return [`## ${title}`, '', '| status | code | what it says | send it again? |', '|---|---|---|---|', ...rows].join(
    '\n',
  )
}

const escapeHtml = (text: string): string => text.replaceAll('<', '&lt;')

const PREFACE = `# Errors

Every answer that is not a success is \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\`, \`instance\`,
the \`code\` below, and the \`request_id\` to quote when you ask for help. Programs go by \`code\`, which never changes its meaning;
\`detail\` is for people. \`invalid_request\` and \`password_common\` have \`errors\`, a list of \`in\`, \`pointer\` (a JSON pointer) and \`reason\`;
\`insufficient_funds\` and \`balance_limit\` have the \`balance\` they were decided on, \`trans_id_reused\` the \`fields\` that differ. This
page is made from the code: \`npm run fix\` writes it anew.

A transaction that was not answered may be sent again at any time with the same \`trans_id\`: it takes effect once.
\`GET /transactions/by-trans-id/{trans_id}\` tells what became of it without executing anything.`

process.stdout.write(`${[PREFACE, ...ROOMS.map(tableOf)].join('\n\n')}\n`)
