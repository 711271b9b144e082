// Runs the SQL on its stdin against the stack of LOCAL_DIR, as psql would, which not every machine has.
import { text } from 'node:stream/consumers'
import pg from 'pg'
import { loadLocalDir } from '../src/local-config.ts'
import { readStack } from '../src/stack-file.ts'

const stack = readStack(loadLocalDir(process.env))
if (!stack) throw new Error('no stack is running')
const client = new pg.Client({ connectionString: stack.databaseUrl })
await client.connect()
try {
  const answer = (await client.query(await text(process.stdin))) as pg.QueryResult | pg.QueryResult[]
  for (const { command, fields, rows, rowCount } of [answer].flat()) {
    if (fields.length > 0) console.log(fields.map(({ name }) => name).join(' | '))
    for (const row of rows) console.log(Object.values(row).map(String).join(' | '))
    console.log(`${command} ${rowCount ?? ''}`)
  }
} finally {
  await client.end()
}
