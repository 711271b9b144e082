import { expect, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { makeChosenHistory } from './make-history.ts'
import { orderExport, readJob, waitForExport } from './order-export.ts'
import { makeExportDir } from './run-exporter.ts'

const MAIN = 'services/exporter/src/main.ts'
const PERSON = { first_name: 'Zebulonia', last_name: 'Quartermaine', email: 'zebulonia@example.com' }
const TRANS_ID = 'odd-trans-id-7f3a9c'
const KEY = 'odd-key-7f3a9c'

test('no log line, of any level, has a secret, a person or what they own in it', async ({
  createDatabase,
  startS3,
  spawnService,
}) => {
  const { db, url } = await createDatabase()
  const [proxy, s3] = await Promise.all([startTcpProxy(url), startS3()])
  try {
    const env = {
      DATABASE_URL: proxy.address,
      EXPORT_DIR: await makeExportDir(),
      LOG_LEVEL: 'trace',
      EXPORT_S3_PATIENCE_MS: '3000',
      ...s3.env,
    }
    const exporter = await spawnService(MAIN, env)
    await exporter.ready()
    const history = await makeChosenHistory(db, [{ trans_id: TRANS_ID }])
    await db.updateTable('users').set(PERSON).execute()
    const order = async () => {
      const id = await orderExport(db, history)
      await db
        .updateTable('exports')
        .set({ idempotency_key: `${KEY}-${id}` })
        .where('id', '=', id)
        .execute()
      return id
    }
    const fails = async (id: string) => {
      await waitFor(async () => expect(await readJob(db, id)).toMatchObject({ attempts: 1, locked_by: null }))
    }
    await waitForExport(db, await order(), ({ status }) => status === 'succeeded')

    await s3.kill()
    const withoutS3 = await order()
    await fails(withoutS3)
    await s3.start()
    // By itself: while S3 starts, its next attempt may come and be done.
    await waitForExport(db, withoutS3, ({ status }) => status === 'succeeded', 40_000)
    // Postgres quotes the row that it refuses.
    await sql`alter table exports add constraint no_more check (status <> 'running') not valid`.execute(db)
    await fails(await order())
    proxy.goDown()
    await waitFor(() => expect(exporter.logs).toContain('connection broke'))
    proxy.comeUp()
    exporter.signal('SIGTERM')
    await exporter.exited

    expect(exporter.logs).toContain('violates check constraint')
    expect(exporter.logs).toContain('export succeeded')
    const secrets = [
      ...[...Object.values(PERSON), TRANS_ID, KEY],
      ...[s3.env.EXPORT_S3_SECRET_ACCESS_KEY, s3.env.EXPORT_S3_ACCESS_KEY_ID, new URL(url).password, proxy.address],
    ]
    for (const each of secrets) {
      expect(each).toSatisfy((text) => typeof text === 'string' && text !== '')
      expect(exporter.logs).not.toContain(each)
    }
  } finally {
    await proxy.close()
  }
})
