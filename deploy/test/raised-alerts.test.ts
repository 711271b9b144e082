import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  LIMITS_OUT_OF_REACH,
  type ServiceProcess,
  startTcpProxy,
  type TestDatabase,
  test,
  waitFor,
} from '@streamledger/testkit'
import { expect } from 'vitest'
import { DASHBOARDS, listExpressions } from './list-expressions.ts'
import { type RunningPrometheus, startPrometheus } from './start-prometheus.ts'

const TEST_TIMEOUT_MS = 400_000
/** A machine that is busy takes its time over a look, and two looks are needed to see that something rises. */
const PATIENCE = { timeoutMs: 90_000, intervalMs: 250 }
const SIGN_UP = { first_name: 'Ada', last_name: 'Obi', email: `${randomUUID()}@example.com`, password: 'a long pass phrase' } // biome-ignore format: one line

async function call({ url }: ServiceProcess, path: string, body: object, token?: string) {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  })
  return { status: response.status, json: (await response.json()) as { access_token: { token: string } } }
}

/** An export of the one wallet there is, and a job with these options. */
async function orderExport(pool: TestDatabase['pool'], options: string): Promise<void> {
  await pool.query(
    `with ordered as (insert into exports (wallet_id, as_of_sequence) select id, sequence from wallets returning id)
     select graphile_worker.add_job('export_transactions', json_build_object('export_id', id::text), ${options}) from ordered`,
  )
}

const fires = (prometheus: RunningPrometheus, alert: string, labels: Record<string, string> = {}): Promise<unknown> =>
  waitFor(
    async () => expect((await prometheus.readFiring()).get(alert)).toContainEqual(expect.objectContaining(labels)),
    PATIENCE,
  )

const leftOut = (process.env.TEST_WITHOUT ?? '').split(',').map((name) => name.trim())
if (!leftOut.includes('prometheus')) {
  test('a real fault of each kind raises its alert from a real Prometheus', { timeout: TEST_TIMEOUT_MS }, async ({
    createDatabase,
    kafka,
    spawnService,
    onTestFinished,
  }) => {
    const database = await createDatabase()
    const { pool } = database
    const way = await startTcpProxy(database.url)
    onTestFinished(() => way.close())
    const folder = mkdtempSync(join(tmpdir(), 'streamledger-exports-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const installation = { INSTALLATION_ID: randomUUID(), KAFKA_TOPIC: `alerts-${randomUUID()}`, TOPIC_PARTITIONS: '1' }
    const env = { DATABASE_URL: database.url, KAFKA_BROKERS: kafka.brokers, ...installation }
    const apiEnv = {
      ...env,
      ...LIMITS_OUT_OF_REACH,
      DATABASE_URL: way.address,
      JWT_SECRET: randomUUID(),
      EXPORT_DIR: folder,
    }
    const api = await spawnService('services/api/src/main.ts', { ...apiEnv, DATABASE_CONNECT_TIMEOUT_MS: '200' }) // biome-ignore format: one line
    const relay = await spawnService('services/relay/src/main.ts', env)
    const exporter = await spawnService('services/exporter/src/main.ts', { ...env, EXPORT_DIR: folder })
    await Promise.all([api, relay, exporter].map((service) => service.ready()))
    const audit = await spawnService('cli/src/main.ts', { ...env, AUDIT_SWEEP_MS: '200', AUDIT_GRACE_MS: '1000' }, [
      'audit',
    ])
    await audit.ready()
    const prometheus = await startPrometheus({ api: api.opsUrl, relay: relay.opsUrl, exporter: exporter.opsUrl, audit: audit.opsUrl }) // biome-ignore format: one line
    onTestFinished(() => prometheus.remove())

    const { json } = await call(api, '/auth/signup', SIGN_UP)
    const { token } = json.access_token
    const post = () => call(api, '/transactions', { entry: 'credit', amount: 1, trans_id: randomUUID() }, token)
    expect((await post()).status).toBe(201)
    await waitFor(
      async () => expect(await prometheus.query('count(up{job=~"streamledger-.+"} == 1)')).toEqual([4]),
      PATIENCE,
    )
    await waitFor(async () => expect(await prometheus.query('streamledger_audit_events_total')).toEqual([1]), PATIENCE)
    // At its first look it had not seen anybody yet.
    await waitFor(async () => expect([...(await prometheus.readFiring()).keys()]).toEqual([]), PATIENCE)

    // Somebody deletes what waits, while the relay does not get to publish it.
    relay.signal('SIGSTOP')
    expect((await post()).status).toBe(201)
    expect((await pool.query('delete from outbox where id = (select max(id) from outbox)')).rowCount).toBe(1)
    relay.signal('SIGCONT')
    await fires(prometheus, 'StreamledgerAuditFindings', { fault: 'missing' })

    // A row that this Postgres cannot have written, as after a restore. The relay itself decides to halt.
    await pool.query(
      `insert into outbox (partition, key, payload, headers, xid, created_at)
       values (0, 'k', '{}', '{}', '900000000000'::xid8, now() - interval '1 hour')`,
    )
    await fires(prometheus, 'StreamledgerPartitionHalted', { severity: 'page' })
    await fires(prometheus, 'StreamledgerEventsLate', { partition: '0' })
    await fires(prometheus, 'StreamledgerEventsVeryLate', { partition: '0' })

    // Nobody has resolved it for a week.
    await pool.query(`update relay_partitions set receipt_at = now() - interval '6 days 12 hours'`)
    await fires(prometheus, 'StreamledgerReceiptOld', { partition: '0' })
    await fires(prometheus, 'StreamledgerReceiptNearlyExpired', { partition: '0' })

    // Somebody changes an amount behind the ledger's back.
    const forger = await pool.connect()
    await forger.query(
      'set session_replication_role = replica; update transactions set amount = amount + 1 where sequence = 1',
    )
    forger.release(true)
    await orderExport(pool, 'max_attempts := 1')
    await fires(prometheus, 'StreamledgerExportsContradictLedger', { code: 'balances_differ' })

    // The folder of the exports is gone, and this was the last attempt.
    rmSync(folder, { recursive: true })
    await orderExport(pool, 'max_attempts := 1')
    await fires(prometheus, 'StreamledgerExportsFail', { code: 'storage_unavailable' })

    // A queue that an exporter has locked, and left so.
    await orderExport(pool, `queue_name := 'left', run_at := now() + interval '1 hour'`)
    await pool.query(`update graphile_worker._private_job_queues set locked_at = now(), locked_by = 'nobody'`)
    await pool.query(`update graphile_worker._private_jobs set run_at = now() - interval '20 minutes' where job_queue_id is not null`) // biome-ignore format: one line
    await fires(prometheus, 'StreamledgerExportsWait')

    // Somebody holds the wallet for longer than a posting may take.
    for (const _ of [1, 2]) {
      const holder = await pool.connect()
      await holder.query('begin; select from wallets for update')
      const late = Promise.all(Array.from({ length: 15 }, post))
      await waitFor(async () => expect(await prometheus.query('posting_pending')).toEqual([15]), PATIENCE)
      await holder.query('rollback')
      holder.release()
      expect((await late).map(({ status }) => status)).not.toContain(500)
    }
    await fires(prometheus, 'StreamledgerPostingsSlow', { severity: 'page' })
    await fires(prometheus, 'StreamledgerPostingsSlowly', { severity: 'ticket' })

    way.goDown()
    for (const _ of [1, 2]) {
      const answers = await Promise.all(Array.from({ length: 20 }, post))
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 503))
      const told = 'sum(http_request_duration_seconds_count{status="503"})'
      await waitFor(async () => expect((await prometheus.query(told))[0]).toBeGreaterThan(0), PATIENCE)
    }
    await fires(prometheus, 'StreamledgerRequestsFail', { severity: 'page' })
    await fires(prometheus, 'StreamledgerRequestsFailSlowly', { severity: 'ticket' })

    // By now something of everything has happened: no panel of a dashboard is without a line.
    const empty = await Promise.all(
      DASHBOARDS.flatMap(listExpressions).map(async (expr) =>
        (await prometheus.query(expr)).length > 0 ? [] : [expr],
      ),
    )
    expect(empty.flat()).toEqual([])

    relay.signal('SIGKILL')
    await fires(prometheus, 'StreamledgerProcessDown', { job: 'streamledger-relay' })
    await fires(prometheus, 'StreamledgerServiceDown', { job: 'streamledger-relay' })
  })
}
