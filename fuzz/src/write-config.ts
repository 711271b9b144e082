import { writeFileSync } from 'node:fs'
import type { Seeds } from './plant-seeds.ts'

/** Half of what a request says is a seed, where there are seeds for it; the other half is made up. */
const PROBABILITY = 0.5
/** The first log-ins are for logging out, the others for being refreshed. */
const LOGGED_OUT = 15

/** A run without a token is one: it would sign up by itself. */
const AUTH = `[auth]
auto-signup = false`

/**
 * All that it checks but two: a schema cannot say all that makes a request valid, and those answers are documented too;
 * and to delete an export that is not finished cancels it, after which it is still there to be looked at.
 */
const CHECKS = `[checks]
positive_data_acceptance.enabled = false
use_after_free.enabled = false
negative_data_rejection.expected-statuses = ["4xx"]`

/** A parameter as schemathesis names it, and what it is given now and then. */
type Bindings = Readonly<Record<string, readonly (string | number)[]>>

/** Writes what schemathesis is to draw from: TOML, whose strings and arrays of them are written as in JSON. */
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
