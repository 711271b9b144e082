import { deepStrictEqual, strictEqual } from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readTopic, readTopicEnds, type TopicEnds, type TopicRecord } from '@streamledger/engines'
import exceljs from 'exceljs'
import { createApiClient } from './api-client.ts'
import { loadLocalDir } from './local-config.ts'
import { createScreen } from './screen.ts'
import { readStack, type Stack } from './stack-file.ts'

const EVENTS_TIMEOUT_MS = 20_000
const EXPORT_TIMEOUT_MS = 30_000
const EXPORT_POLL_INTERVAL_MS = 200
const CREDIT_KOBO = 500_000
const DEBIT_KOBO = 120_000

type Transaction = {
  transaction_id: number
  entry: string
  amount: number
  balance: number
  trans_id: string
  sequence: number
}
type Export = { export_id: string; status: string; rows_done: number; size: number; sha256: string; file_url: string }

const LOCAL_DIR = loadLocalDir(process.env)
const screen = createScreen()
const step = (line: string) => screen.strong(`\n${line}`)
const show = (line: string) => screen.write(`  ${line}`)
const naira = (kobo: number) => `NGN ${(kobo / 100).toLocaleString('en', { minimumFractionDigits: 2 })}`

/** Plays the product's story once against the running stack, and checks each part of it against the others. */
async function playDemo(stack: Stack): Promise<void> {
  const [base] = stack.api
  if (!base) throw new Error('the stack has no API')
  const from = stack.kafkaBrokers ? await readTopicEnds(stack.kafkaBrokers, stack.topic) : undefined
  const api = createApiClient(`${base}/api/v1`)

  step('A new user signs up')
  const email = `ada.${randomUUID().slice(0, 8)}@example.com`
  const person = { first_name: 'Ada', last_name: 'Obi', email, password: `demo ${randomUUID()}` }
  const signedUp = await api.call('POST', '/auth/signup', { body: person, status: 201 })
  const { user, wallet, access_token } = signedUp.json as {
    user: { user_id: number }
    wallet: { wallet_id: number }
    access_token: { token: string }
  }
  api.authorize(access_token.token)
  show(`${email} is user ${user.user_id} with wallet ${wallet.wallet_id}`)

  const posted = await postTransactions(api)
  await showEvents(stack, { from, key: String(user.user_id), posted })
  await showExport(api, base, posted)
  step('All of it agrees.')
}

type ApiClient = ReturnType<typeof createApiClient>

async function postTransactions(api: ApiClient): Promise<Transaction[]> {
  step('A credit')
  const credit = await api.call('POST', '/transactions', {
    body: { entry: 'credit', amount: CREDIT_KOBO, trans_id: `salary-${randomUUID()}` },
    status: 201,
  })
  const credited = credit.json as Transaction
  show(`${naira(credited.amount)} in, balance ${naira(credited.balance)}, trans_id ${credited.trans_id}`)

  step('A debit')
  const order = { entry: 'debit', amount: DEBIT_KOBO, trans_id: `order-${randomUUID()}` }
  const debit = await api.call('POST', '/transactions', { body: order, status: 201 })
  const debited = debit.json as Transaction
  show(`${naira(debited.amount)} out, balance ${naira(debited.balance)}, trans_id ${debited.trans_id}`)

  step('The same debit again, as a client sends it that never saw the answer')
  const replay = await api.call('POST', '/transactions', { body: order, status: 201 })
  strictEqual(replay.headers.get('idempotent-replayed'), 'true', 'the replay says that it is one')
  strictEqual(replay.text, debit.text, 'the replay is the same answer')
  show('Idempotent-Replayed: true, the same answer byte for byte, and nothing was moved')

  step('A debit that the balance does not cover')
  const body = { entry: 'debit', amount: CREDIT_KOBO, trans_id: `too-much-${randomUUID()}` }
  const refused = await api.call('POST', '/transactions', { body, status: 422 })
  const problem = refused.json as { code: string; detail: string }
  strictEqual(problem.code, 'insufficient_funds')
  show(`422 ${problem.code}: ${problem.detail}`)

  const { json } = await api.call('GET', '/wallet', { status: 200 })
  const { balance } = (json as { wallet: { balance: number } }).wallet
  strictEqual(balance, CREDIT_KOBO - DEBIT_KOBO, 'the balance is what was accepted')
  show(`The wallet holds ${naira(balance)}`)
  return [credited, debited]
}

type Expected = { from: TopicEnds | undefined; key: string; posted: readonly Transaction[] }

async function showEvents(stack: Stack, { from, key, posted }: Expected): Promise<void> {
  step(`The events, as a read_committed consumer of "${stack.topic}" sees them`)
  if (!stack.kafkaBrokers || !from) return show('There is no Kafka: they wait in the outbox.')
  const ofUser = (records: readonly TopicRecord[]) => records.filter((record) => record.key === key)
  const isEnough = (records: readonly TopicRecord[]) => ofUser(records).length >= posted.length
  const options = { from, isEnough, timeoutMs: EVENTS_TIMEOUT_MS }
  const events = ofUser(await readTopic(stack.kafkaBrokers, stack.topic, options))
  for (const { partition, offset, value } of events) show(`partition ${partition}, offset ${offset}: ${value}`)
  const pick = ({ transaction_id, entry, amount, balance, trans_id, sequence }: Transaction) => [
    ...[transaction_id, entry, amount, balance, trans_id, sequence],
  ]
  const seen = events.map(({ value }) => JSON.parse(value ?? '') as Transaction)
  deepStrictEqual(seen.map(pick), posted.map(pick), 'the events are the transactions, in their order')
}

async function showExport(api: ApiClient, base: string, posted: readonly Transaction[]): Promise<void> {
  step('The history as an Excel file')
  const { json, headers } = await api.call('POST', '/transactions/export', { body: {}, status: 202 })
  const { export_id } = json as Export
  show(`202, ${headers.get('location')}`)
  const done = await pollExport(api, export_id)
  show(`${done.status}: ${done.rows_done} rows, ${done.size} bytes`)

  const bytes = await api.download(new URL(done.file_url, base))
  strictEqual(bytes.length, done.size, 'the file is as large as announced')
  strictEqual(createHash('sha256').update(bytes).digest('hex'), done.sha256, 'the file has the announced digest')
  const folder = join(LOCAL_DIR, 'demo')
  const file = join(folder, `${export_id}.xlsx`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, bytes)
  show(`${relative(process.cwd(), file)}:`)

  const rows = await readRows(file)
  for (const row of rows) show(row.map(String).join(' | '))
  const amounts = rows.slice(1).map((row) => [row[1], row[2], row[3], row[4], row.at(-1)])
  const expected = posted.map((t) => [t.transaction_id, t.entry, t.amount / 100, t.balance / 100, t.trans_id])
  deepStrictEqual(amounts, expected, 'the rows are the transactions, in their order')
}

async function pollExport(api: ApiClient, id: string): Promise<Export> {
  const deadline = performance.now() + EXPORT_TIMEOUT_MS
  for (;;) {
    const { json } = await api.call('GET', `/transactions/exports/${id}`, { status: 200 })
    const state = json as Export
    if (state.status === 'succeeded') return state
    if (state.status !== 'queued' && state.status !== 'running') throw new Error(`the export is ${state.status}`)
    if (performance.now() > deadline) throw new Error(`the export is still ${state.status}: is an exporter running?`)
    await delay(EXPORT_POLL_INTERVAL_MS)
  }
}

async function readRows(file: string): Promise<unknown[][]> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(file)
  const rows: unknown[][] = []
  workbook.worksheets[0]?.eachRow((row) => {
    const cells = (row.values as unknown[]).slice(1) // exceljs counts columns from 1
    rows.push(cells.map((cell) => (cell instanceof Date ? cell.toISOString() : cell)))
  })
  return rows
}

try {
  const stack = readStack(LOCAL_DIR)
  if (!stack) throw new Error('no stack is running here: npm start')
  await playDemo(stack)
} catch (error) {
  screen.warn(`The demo failed: ${(error as Error).message}`)
  process.exitCode = 1
}
