// Ceiling A without pgbench: clients of the pg driver, each of which sends its next statement after the last answer.
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { percentile } from '../measure/statistics.ts'
import type { PgLoadJob } from './run-pg-load.ts'

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as PgLoadJob
const timesMs: number[] = []

const clients = await Promise.all(
  Array.from({ length: job.clients }, async () => {
    const client = new pg.Client({ connectionString: job.databaseUrl })
    await client.connect()
    return client
  }),
)
const startedAt = performance.now()
const until = startedAt + job.seconds * 1_000

async function runClient(client: pg.Client, number: number): Promise<void> {
  for (let count = 1; performance.now() < until; count += 1) {
    const values =
      job.walletsMax === undefined ? [] : [1 + Math.floor(Math.random() * job.walletsMax), `${number}-${count}`]
    const sentAt = performance.now()
    await client.query({ name: 'ceiling', text: job.text, values })
    timesMs.push(performance.now() - sentAt)
  }
}

await Promise.all(clients.map(runClient))
const seconds = (performance.now() - startedAt) / 1_000
await Promise.all(clients.map((client) => client.end()))
const result = { rate: timesMs.length / seconds, p50_ms: percentile(timesMs, 0.5) }
process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
