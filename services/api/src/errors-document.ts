// Prints docs/errors.md: every error code of the API.
import { ERROR_TABLE } from './errors.ts'

type Part = Record<string, readonly [status: number, detail: string, again?: string]>

/** Whether a program may send the request again. */
function adviceOn(status: number): string {
  switch (status) {
    case 408:
      return 'yes'
    case 429:
    case 503:
      return 'yes, after `Retry-After`, with the same key'
    case 500:
      return 'yes, with the same key; tell the operator'
    default:
      return 'only if you change it'
  }
}

function tableOf([title, codes]: [string, Part]): string {
  const rows = Object.entries(codes)
    .toSorted(([, [one]], [, [other]]) => one - other)
    .map(
      ([code, [status, detail, again = adviceOn(status)]]) =>
        `| ${status} | \`${code}\` | ${escapeHtml(detail)} | ${again} |`,
    )
  return [`## ${title}`, '', '| status | code | detail | send it again? |', '|---|---|---|---|', ...rows].join('\n')
}

const escapeHtml = (text: string): string => text.replaceAll('<', '&lt;')

const PREFACE = `# Errors

Every answer that is not a success is \`application/problem+json\` (RFC 9457): \`type\`, \`title\`, \`status\`, \`detail\`, \`instance\`,
the \`code\` below, and the \`request_id\` to quote when you ask for help. Programs use \`code\`, whose meaning never changes;
\`detail\` is for people. \`invalid_request\` and \`password_common\` have \`errors\`, a list of \`in\`, \`pointer\` (a JSON pointer) and \`reason\`;
\`insufficient_funds\` and \`balance_limit\` have the \`balance\` at the time of the refusal, \`trans_id_reused\` the \`fields\` that differ.
This page is generated from the source: \`npm run fix\` rewrites it.

If a transaction got no answer, send it again at any time with the same \`trans_id\`: it takes effect once.
\`GET /transactions/outcome?trans_id=…\` returns its outcome without executing anything.`

process.stdout.write(`${[PREFACE, ...Object.entries<Part>(ERROR_TABLE).map(tableOf)].join('\n\n')}\n`)
