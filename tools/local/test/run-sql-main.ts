// Runs the SQL on its stdin against the stack of LOCAL_DIR, as psql would, which not every machine has.
import { text } from 'node:stream/consumers'
import { createDatabase } from '@streamledger/db/database'
import { loadLocalDir } from '../src/local-config.ts'
import { readStack } from '../src/stack-file.ts'

interface Result {
  command: string
  rowCount: number | null
  fields: { name: string }[]
  rows: Record<string, unknown>[]
}

const stack = readStack(loadLocalDir(process.env))
if (!stack) throw new Error('no stack is running')
const PATIENCE_MS = 60_000
const options = {
  applicationName: 'document',
  connectionsMax: 1,
  statementTimeoutMs: PATIENCE_MS,
  connectTimeoutMs: PATIENCE_MS,
}
const { pool, close } = createDatabase(stack.databaseUrl, options)
try {
  // Several statements in one text have a result each.
  const answer: unknown = await pool.query(await text(process.stdin))
  for (const { command, fields, rows, rowCount } of [answer].flat() as Result[]) {
    if (fields.length > 0) console.log(fields.map(({ name }) => name).join(' | '))
    for (const row of rows) console.log(Object.values(row).map(String).join(' | '))
    console.log(`${command} ${rowCount ?? ''}`)
  }
} finally {
  await close()
}
