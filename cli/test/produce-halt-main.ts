// Halts a partition of the stack that `npm start` runs, so that one can practise what docs/runbook.md says about it:
//
//   npx node cli/test/produce-halt-main.ts
//
// It posts a little, freezes the relays while a batch is open, deletes the group that the receipts are in, and kills the
// relays. The supervisor starts them again; they wait for the receipts for a minute, and then they halt the partition.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { receiptGroupOf } from '@streamledger/kafka'
import { signUp } from '@streamledger/testkit/sign-up'
import { waitFor } from '@streamledger/testkit/wait-for'
import { Kafka, logLevel } from 'kafkajs'
import pg from 'pg'

interface Stack {
  api: string[]
  databaseUrl: string
  kafkaBrokers: string
  processes: { role: string; pid: number }[]
}

const FREEZE_INTERVAL_MS = 20
const stack = JSON.parse(readFileSync(process.env.STACK_FILE ?? '.local/stack.json', 'utf8')) as Stack
const relays = stack.processes.filter(({ role }) => role === 'relay')
const signalRelays = (signal: NodeJS.Signals): void => relays.forEach(({ pid }) => void process.kill(pid, signal))
const pool = new pg.Pool({ connectionString: stack.databaseUrl, max: 2 })

async function readPartitions(column: 'batch_id' | 'halted_at'): Promise<number[]> {
  const { rows } = await pool.query(`select partition from relay_partitions where ${column} is not null`)
  return rows.map(({ partition }) => partition)
}

/** Leaves the relays frozen, with a batch open. */
async function freezeOpenBatch(): Promise<number[]> {
  const person = await signUp(stack.api[0] as string)
  for (let count = 0; ; count += 1) {
    for (let index = 0; index < 10; index += 1) void person.credit(100, `halt-${count}-${index}`).catch(() => {})
    await delay(FREEZE_INTERVAL_MS)
    signalRelays('SIGSTOP')
    const open = await readPartitions('batch_id')
    if (open.length > 0) return open
    signalRelays('SIGCONT')
  }
}

const open = await freezeOpenBatch()
const { rows } = await pool.query('select id from installation')
const admin = new Kafka({ brokers: stack.kafkaBrokers.split(','), logLevel: logLevel.NOTHING }).admin()
await admin.connect()
await admin.deleteGroups([receiptGroupOf(rows[0].id)])
await admin.disconnect()
signalRelays('SIGKILL')
console.log(
  `The receipts are deleted, with a batch open in partition ${open.join(', ')}. It halts within a minute or so.`,
)
await waitFor(async () => (await readPartitions('halted_at')).length > 0, { timeoutMs: 180_000, intervalMs: 1_000 })
const halted = await readPartitions('halted_at')
console.log(`Halted: partition ${halted.join(', ')}. Now it is your turn: docs/runbook.md.`)
await pool.end()
