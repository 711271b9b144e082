import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { readTopic, readTopicEnds, type TopicEnds, type TopicRecord } from '@streamledger/engines'
import { agree, Disagreement } from './agree.ts'
import { createApiClient } from './api-client.ts'
import { checkWorkbook, type Posted, readWorkbook } from './demo-workbook.ts'
import { loadLocalDir } from './local-config.ts'
import { createScreen } from './screen.ts'
import { readStack, type Stack } from './stack-file.ts'

const EVENTS_TIMEOUT_MS = 20_000
const EXPORT_TIMEOUT_MS = 30_000
const EXPORT_POLL_INTERVAL_MS = 200
const CREDIT_KOBO = 500_000
const DEBIT_KOBO = 120_000

type Transaction = Posted & { sequence: number }
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

  step('The same debit again, from a client that missed the answer')
  const replay = await api.call('POST', '/transactions', { body: order, status: 201 })
  agree(replay.headers.get('idempotent-replayed'), 'true', 'the replay does not say that it is one')
  agree(replay.text, debit.text, 'the replay is not the same answer')
  show('Idempotent-Replayed: true, the same answer byte for byte, and nothing was moved')

  step('A debit that the balance does not cover')
  const body = { entry: 'debit', amount: CREDIT_KOBO, trans_id: `too-much-${randomUUID()}` }
  const refused = await api.call('POST', '/transactions', { body, status: 422 })
  const problem = refused.json as { code: string; detail: string }
  agree(problem.code, 'insufficient_funds', 'the refusal has another code')
  show(`422 ${problem.code}: ${problem.detail}`)

  const { json } = await api.call('GET', '/wallet', { status: 200 })
  const { balance } = (json as { wallet: { balance: number } }).wallet
  agree(balance, CREDIT_KOBO - DEBIT_KOBO, 'the balance is not what was accepted')
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
  agree(seen.map(pick), posted.map(pick), 'the events are not the transactions, in their order')
}

async function showExport(api: ApiClient, base: string, posted: readonly Transaction[]): Promise<void> {
  step('The history as an Excel file')
  const { json, headers } = await api.call('POST', '/transactions/export', { body: {}, status: 202 })
  const { export_id } = json as Export
  show(`202, ${headers.get('location')}`)
  const done = await pollExport(api, export_id)
  show(`${done.status}: ${done.rows_done} rows, ${done.size} bytes`)

  const bytes = await api.download(new URL(done.file_url, base))
  agree(bytes.length, done.size, 'the file does not have the announced size')
  agree(createHash('sha256').update(bytes).digest('hex'), done.sha256, 'the file does not have the announced digest')
  const folder = join(LOCAL_DIR, 'demo')
  const file = join(folder, `${export_id}.xlsx`)
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, bytes)
  show(`${relative(process.cwd(), file)}:`)

  const { summary, transactions } = await readWorkbook(file)
  show('sheet "Summary":')
  for (const row of summary) show(`  ${row.map(String).join(' | ')}`)
  show('sheet "Transactions":')
  for (const row of transactions) show(`  ${row.map(String).join(' | ')}`)
  checkWorkbook({ summary, transactions }, posted)
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

try {
  const stack = readStack(LOCAL_DIR)
  if (!stack) throw new Error('no stack is running here: npm start')
  await playDemo(stack)
} catch (error) {
  const { message } = error as Error
  if (error instanceof Disagreement) screen.write(`\n${error.difference}`)
  // The starter shows the reason last, when the stack has stopped.
  if (process.send) process.send(message, () => process.disconnect?.())
  else screen.warn(message)
  process.exitCode = 1
}
