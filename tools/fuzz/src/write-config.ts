import { writeFileSync } from 'node:fs'
import type { Seeds } from './plant-seeds.ts'

/** Probability that a parameter uses a seed, if there are seeds for it. */
const PROBABILITY = 0.5
/** The first log-ins are used for logging out, the others for refreshing. */
const LOGGED_OUT = 15

/** Off, because a run without a token must stay without one. */
const AUTH = `[auth]
auto-signup = false`

/**
 * All checks except two: a schema cannot express all rules for a valid request, and the document has those answers,
 * too; and a DELETE of an unfinished export cancels it, so that it still exists.
 */
const CHECKS = `[checks]
positive_data_acceptance.enabled = false
use_after_free.enabled = false
negative_data_rejection.expected-statuses = ["4xx"]`

/** A parameter, by schemathesis's name, and the values that it sometimes gets. */
type Bindings = Readonly<Record<string, readonly (string | number)[]>>

/** Writes the configuration of schemathesis with the seeds: TOML, whose strings and arrays have the format of JSON. */
export function writeConfig(file: string, seeds: Seeds): void {
  const everywhere: Bindings = {
    'path.export_id': seeds.exportIds,
    'path.transaction_id': seeds.transactionIds,
    'path.trans_id': seeds.transIds,
    'header.idempotency-key': seeds.idempotencyKeys,
    'header.range': ['bytes=0-0', 'bytes=10-', 'bytes=-5', 'bytes=999999999-', 'bytes=0-1,5-6'],
    'header.if-range': seeds.etags,
    'header.if-none-match': [...seeds.etags, '*'],
  }
  const byOperation: Readonly<Record<string, Bindings>> = {
    logIn: { 'body.email': seeds.emails, 'body.password': [seeds.password] },
    // Apart: what was logged out cannot be refreshed.
    refresh: { 'body.refresh_token': seeds.refreshTokens.slice(LOGGED_OUT) },
    logOut: { 'body.refresh_token': seeds.refreshTokens.slice(0, LOGGED_OUT) },
    signUp: { 'body.email': seeds.emails },
    postTransaction: { 'body.trans_id': seeds.transIds, 'body.amount': [1_000, 1, Number.MAX_SAFE_INTEGER] },
    listTransactions: { 'query.cursor': seeds.transactionCursors },
    listExports: { 'query.cursor': seeds.exportCursors },
    deleteExport: { 'path.export_id': seeds.spareExportIds },
  }
  const dictionaries: string[] = []
  const bind = (bindings: Bindings): string[] =>
    Object.entries(bindings).map(([parameter, values]) => {
      const name = `seeds-${dictionaries.length}`
      dictionaries.push(`[dictionaries.${name}]\nvalues = ${JSON.stringify(values)}`)
      return `${JSON.stringify(parameter)} = { dictionary = "${name}", probability = ${PROBABILITY} }`
    })
  const sections = [
    ['[parameters]', ...bind(everywhere)],
    ...Object.entries(byOperation).map(([operation, bindings]) => [
      `[[operations]]\ninclude-operation-id = "${operation}"\n[operations.parameters]`,
      ...bind(bindings),
    ]),
  ]
  writeFileSync(file, [...dictionaries, AUTH, CHECKS, ...sections.map((lines) => lines.join('\n'))].join('\n\n'))
}
