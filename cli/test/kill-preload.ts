// Loaded into the CLI before its own code, so that it dies right before a statement that would change something for good.
import pg from 'pg'

const CHANGES = /\b(?:insert|update|delete|setval)\b/i
/** Counted from 1. */
const nth = Number(process.env.KILL_BEFORE_CHANGE)
let changes = 0
let isInTransaction = false

/** What is changed in a transaction lasts from its commit on. */
function isChange(text: string): boolean {
  if (text === 'begin') isInTransaction = true
  if (text === 'rollback') isInTransaction = false
  if (isInTransaction && text !== 'commit') return false
  isInTransaction = false
  return text === 'commit' || CHANGES.test(text)
}

const clientPrototype = pg.Client.prototype as unknown as { query(...args: unknown[]): unknown }
const query = clientPrototype.query
clientPrototype.query = function (this: unknown, ...args: unknown[]): unknown {
  const [statement] = args
  if (isChange(typeof statement === 'string' ? statement : (statement as pg.QueryConfig).text)) changes += 1
  if (changes === nth) process.kill(process.pid, 'SIGKILL')
  return query.apply(this, args)
}
