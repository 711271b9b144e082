import { randomUUID } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { waitFor } from '@streamledger/testkit'
import { expect } from 'vitest'
import { drawDashboards, readPanel, type Span } from './dashboard-picture.ts'
import { DASHBOARDS, readDashboard } from './read-dashboard.ts'
import type { RunningPrometheus } from './start-prometheus.ts'
import { createUser, PATIENCE, test, type User, type WatchedStack } from './watched-stack.ts'

const ROOT = resolve(import.meta.dirname, '../..')
/** `DASHBOARD_PICTURES=docs/dashboards npm run test:crash -- deploy/test/dashboards.long.ts` makes those of the docs anew. */
const PICTURES = resolve(ROOT, process.env.DASHBOARD_PICTURES ?? '.local/dashboards')
const BYTES_MAX = 300_000
const PEOPLE = 8
const PACE_MS = 60
const ROWS_BEHIND = 300

/** What people do all day: post, now and then the same again or more than they have, and read. */
async function live({ call, post, email, password }: User, isOver: () => boolean): Promise<void> {
  const credit = { entry: 'credit', amount: 500, trans_id: randomUUID() }
  for (let turn = 0; !isOver(); turn += 1) {
    await post()
    if (turn % 4 === 1) await call('/transactions')
    if (turn % 7 === 2) await call('/transactions', credit)
    if (turn % 9 === 3) await call('/transactions', { entry: 'debit', amount: 100_000_000, trans_id: randomUUID() })
    if (turn % 40 === 4) await call('/auth/login', { email, password })
    await pause(PACE_MS)
  }
}

/** Runs `use` while people use the API. */
async function withPeople({ api }: WatchedStack, use: () => Promise<void>): Promise<void> {
  let isOver = false
  const people: User[] = []
  for (let count = 0; count < PEOPLE; count += 1) people.push(await createUser(api))
  const living = people.map((person) => live(person, () => isOver))
  try {
    await use()
  } finally {
    isOver = true
    await Promise.all(living)
  }
}

/** A while like any other, told by the clock of those who look. */
async function passes(seconds: number): Promise<void> {
  const end = Date.now() + 1_000 * seconds
  await waitFor(() => Date.now() >= end, { timeoutMs: 2_000 * seconds, intervalMs: 250 })
}

async function sees(prometheus: RunningPrometheus, expression: string): Promise<void> {
  await waitFor(async () => expect(await prometheus.query(expression)).not.toEqual([]), PATIENCE)
}

async function draw(prometheus: RunningPrometheus, span: Span) {
  const drawings = []
  for (const service of DASHBOARDS) {
    const { title, panels } = readDashboard(service)
    const drawn = []
    for (const panel of panels) drawn.push(await readPanel(prometheus, panel, span))
    drawings.push({ title, panels: drawn })
  }
  const pictures = await drawDashboards(drawings)
  return { drawings, pictures }
}

test('every panel shows something of a day in which Kafka, Postgres and an export folder fail', async ({
  watchStack,
  startProxiedKafka,
}) => {
  const kafka = await startProxiedKafka()
  const stack = await watchStack({ partitions: 4, brokers: kafka.brokers, relayBrokers: kafka.proxiedBrokers })
  const { prometheus, pool, ways, exportFolder, call } = stack
  const from = new Date()
  await withPeople(stack, async () => {
    await passes(20)
    // Kafka says nothing for a while.
    kafka.proxy.hang()
    await sees(prometheus, `sum(streamledger_outbox_rows) > ${ROWS_BEHIND}`)
    kafka.proxy.release()
    await sees(prometheus, 'sum(streamledger_outbox_rows) < 20')
    await pool.query('insert into exports (wallet_id, as_of_sequence) select id, sequence from wallets')
    await pool.query(
      `select graphile_worker.add_job('export_transactions', json_build_object('export_id', id::text)) from exports`,
    )
    expect(await call('/transactions/export', {})).toBe(202)
    await sees(prometheus, 'sum(streamledger_export_attempts_total{outcome="succeeded"}) > 5')
    await passes(10)
    ways.api.goDown()
    await sees(prometheus, 'sum(http_problems_total{code="unavailable"}) > 10')
    ways.api.comeUp()
    // The folder of the exports is gone.
    rmSync(exportFolder, { recursive: true })
    await pool.query(
      `with ordered as (insert into exports (wallet_id, as_of_sequence) select id, sequence from wallets limit 2 returning id)
       select graphile_worker.add_job('export_transactions', json_build_object('export_id', id::text), max_attempts := 1) from ordered`,
    )
    await sees(prometheus, 'sum(streamledger_export_failures_total) > 0')
    await passes(20)
  })
  const { drawings, pictures } = await draw(prometheus, { from, to: new Date() })
  const empty = drawings.flatMap(({ panels }) =>
    panels.filter(({ lines }) => !lines.some(({ values }) => values.some((value) => value !== null))),
  )
  expect(empty.map(({ title }) => title)).toEqual([])
  mkdirSync(PICTURES, { recursive: true })
  for (const [at, picture] of pictures.entries()) {
    expect(picture.length).toBeLessThan(BYTES_MAX)
    writeFileSync(resolve(PICTURES, `${DASHBOARDS[at]}.png`), picture)
  }
})
