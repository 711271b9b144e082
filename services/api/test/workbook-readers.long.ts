import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { LEFT_OUT } from '@streamledger/testkit'
import exceljs from 'exceljs'
import { expect, signUp, test, waitFor } from './api.ts'
import { spawnApis } from './api-processes.ts'
import type { Client, Json } from './client.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const REQUIREMENTS = join(import.meta.dirname, 'workbook-readers.txt')
const SCRIPT = join(import.meta.dirname, 'read-workbook.py')
const EXPORTER = 'services/exporter/src/main.ts'
const EXPORT_MAX_MS = 30_000
const LARGEST = Number.MAX_SAFE_INTEGER

const TRANS_IDS = [
  ...['order-1', '007', '1e5', '12345678901234567890', 'TRUE', 'NA', 'null', 'None', '#N/A', '2026-01-31', '12:30'],
  ...['=1+1', "'=1+1", "''=1+1", '-1', '+234 803 000', '@x', '＝1', "'", "'quoted'"],
  ...[' ', '   ', ' lead', 'trail ', '\u200b', '\u200bzero', 'zero\u200b', '\u00a0', '\u3000wide\u3000', '\ufeffmark'],
  ...['a', 'A', 'é', 'e\u0301', 'ﬁ', 'fi', '💸', '<b>&amp;</b>', ']]>', '"', 'x'.repeat(255), '漢'.repeat(255)],
  ...['_x0041_', '_x005F_x0041_', '_x005f_', 'a_x', 'two  spaces'],
]

/** The first and the last instants of months, where a rounding shows. */
const instantOf = (index: number) =>
  new Date(Date.UTC(2026, 1 + Math.floor(index / 3)) + ([-1, 0, 501][index % 3] ?? 0))

interface Truth {
  transaction_id: number
  created_at: string
  entry: string
  amount: number
  balance: number
  trans_id: string
}

/** Posts what is hard to read, and returns it as the API lists it, oldest first. */
async function post(client: Client, afterwards: (ids: number[]) => Promise<void>): Promise<Truth[]> {
  const amounts = [
    1,
    1_000_000_000_000_001,
    1_000_000_000_000_000,
    999_999_999_999_999,
    LARGEST - 3_000_000_000_000_001,
  ]
  for (const [index, trans_id] of TRANS_IDS.entries()) {
    // All of it, and then ordinary debits.
    const [entry, amount] = index < amounts.length ? ['credit', amounts[index] as number] : ['debit', 100_05 + index]
    expect((await client.post(entry, amount, trans_id)).status, trans_id).toBe(201)
  }
  const list = async () => (await client.get('/transactions?limit=100')).json.data.toReversed() as Truth[]
  await afterwards((await list()).map(({ transaction_id }) => transaction_id))
  return list()
}

async function orderExport(url: string, client: Client): Promise<Buffer> {
  const { json } = await client.call('POST', '/transactions/export')
  const path = `/transactions/exports/${json.export_id}`
  await waitFor(async () => (await client.get(path)).json.status === 'succeeded', { timeoutMs: EXPORT_MAX_MS })
  const { token } = (client.account as Json).access_token
  const file = await fetch(`${url}/api/v1${path}/file`, { headers: { authorization: `Bearer ${token}` } })
  expect(file.status).toBe(200)
  return Buffer.from(await file.arrayBuffer())
}

/** The lines of code for Python in docs/exports.md, by the name of the tool. */
function readDocumentedTools(): Record<string, string> {
  const page = readFileSync(join(ROOT, 'docs/exports.md'), 'utf8')
  const lines = page.matchAll(/^\| ([^|]+?) [\d.]+ \| Python: `([^`]+)` \|/gm)
  return Object.fromEntries([...lines].map(([, tool, code]) => [tool, code]))
}

/** A Python with all of them, made once: installing them takes longer than the test. */
async function preparePython(): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 8)
  const folder = join(ROOT, `.local/workbook-readers-${digest}`)
  if (!existsSync(folder)) {
    const draft = `${folder}.draft-${process.pid}`
    const run = promisify(execFile)
    try {
      await run('python3', ['-m', 'venv', draft])
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:']
      await run(join(draft, 'bin/python'), [...pip, '--requirement', REQUIREMENTS])
      await rename(draft, folder)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }
  return join(folder, 'bin/python')
}

async function readWithPython(folder: string, tools: Record<string, string>): Promise<Record<string, unknown[][]>> {
  const child = promisify(execFile)(await preparePython(), [SCRIPT], { cwd: folder, maxBuffer: 100_000_000 })
  child.child.stdin?.end(JSON.stringify(tools))
  return JSON.parse((await child).stdout)
}

async function readWithExceljs(path: string): Promise<unknown[][]> {
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.readFile(path)
  const rows = workbook.worksheets[0]?.getSheetValues().slice(2) as unknown[][]
  return rows.map((row) => row.slice(1).map((cell) => (cell instanceof Date ? cell.getTime() : cell)))
}

/** A trans_id as the page says to turn it back: `_x…_` where the tool leaves it, then the apostrophe. */
function turnBack(cell: unknown, decodes: boolean): string {
  const text = String(cell)
  const decoded = decodes
    ? text
    : text.replace(/_x([0-9A-F]{4})_/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)))
  return decoded.replace(/^'/, '')
}

/** What the page says of a tool. */
const DECODES = ['python-calamine', 'pandas with calamine']
/** It decodes `&amp;` a second time. */
const READS_AMPERSANDS_TWICE = 'exceljs'
/** How far from the time its reading may be, in ms. */
const OFF_MS: Readonly<Record<string, number>> = { DuckDB: 1 }

function expectTruth(tool: string, rows: unknown[][], truth: readonly Truth[]): void {
  const times = rows.map(([time]) => time as number)
  const wanted = truth.map(({ created_at }) => Date.parse(created_at))
  expect(times.length, tool).toBe(wanted.length)
  expect(Math.max(...times.map((time, index) => Math.abs(time - (wanted[index] as number)))), tool).toBeLessThanOrEqual(
    OFF_MS[tool] ?? 0,
  )
  const read = rows.map(([, id, entry, amount, balance, currency, trans_id, ...kobo]) => [
    // Where Python has an integer it comes as its digits.
    ...[String(id), entry, Number(amount), Number(balance), currency],
    ...[turnBack(trans_id, DECODES.includes(tool)), ...kobo.map(String)],
  ])
  expect({ tool, read }).toEqual({
    tool,
    read: truth.map(({ transaction_id, entry, amount, balance, trans_id }) => [
      ...[String(transaction_id), entry, amount / 100, balance / 100, 'NGN'],
      tool === READS_AMPERSANDS_TWICE ? trans_id.replaceAll('&amp;', '&') : trans_id,
      ...[String(amount), String(balance)],
    ]),
  })
}

test.skipIf(LEFT_OUT.includes('python'))(
  'each tool of docs/exports.md reads from a workbook, by the line there, what the API answers',
  async ({ createDatabase, spawnService }) => {
    const { url, pool } = await createDatabase()
    const folder = await mkdtemp(join(tmpdir(), 'streamledger-exports-'))
    try {
      // Ids as they are after tens of thousands of fail-overs: more digits than a spreadsheet keeps.
      await pool.query(`select setval('transactions_id_seq', 9_000_000_000_000_000)`)
      const [api] = await spawnApis(spawnService, url, { env: { EXPORT_DIR: folder } })
      if (!api) throw new Error('there is no API')
      const exporter = await spawnService(EXPORTER, { DATABASE_URL: url, EXPORT_DIR: folder, LOG_LEVEL: 'warn' })
      await exporter.ready()
      const client = await signUp(api.url)
      const truth = await post(client, async (ids) => {
        await pool.query('alter table transactions disable trigger transactions_append_only')
        for (const [index, id] of ids.entries()) {
          await pool.query('update transactions set created_at = $2 where id = $1', [id, instantOf(index)])
        }
      })
      expect(Math.min(...truth.map(({ transaction_id }) => transaction_id))).toBeGreaterThan(10 ** 15)
      const path = join(folder, 'history.xlsx')
      await writeFile(path, await orderExport(api.url, client))

      const tools = readDocumentedTools()
      const read = { ...(await readWithPython(folder, tools)), exceljs: await readWithExceljs(path) }

      expect(Object.keys(read).length).toBe(7)
      for (const [tool, rows] of Object.entries(read)) expectTruth(tool, rows, truth)
      if (process.env.KEEP_WORKBOOK) await writeFile(process.env.KEEP_WORKBOOK, readFileSync(path))
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)
