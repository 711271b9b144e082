import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  expect,
  type ServiceProcess,
  type SpawnService,
  type TestDatabase,
  type TestKafka,
  waitFor,
} from '@streamledger/testkit'
import type { Pool } from 'pg'
import {
  countOutbox,
  examine,
  type Installation,
  insertRows,
  makeInstallation,
  relayEnvironment,
  type Verdict,
} from '../system.ts'
import { FAULT_VARIABLE, type Fault, type Strike, type Struck } from './fault.ts'

const RELAY = 'services/relay/src/main.ts'
const PRELOAD = pathToFileURL(join(import.meta.dirname, 'fault-preload.ts')).href
export const PARTITIONS = 3
const KEYS = 12
/** Of one insert. */
export const ROWS = 120
/**
 * A short lease, so that a cell takes seconds; small batches, so that several are to come when one is struck. Steps
 * have more time: no cell waits for their end, and on a machine that is too slow for them no batch would succeed.
 */
const ENVIRONMENT = {
  RELAY_LEASE_MS: '1500',
  RELAY_STEP_TIMEOUT_MS: '10000',
  RELAY_TRANSACTION_TIMEOUT_MS: '20000',
  RELAY_BATCH_ROWS_MAX: '10',
  // Relays that mostly wait would take half of a core with the usual pace.
  RELAY_POLL_MS: '20',
  RELAY_POLL_IDLE_MS: '250',
  STATEMENT_TIMEOUT_MS: '10000',
}
/** Much longer than anything takes: a machine that is busy with other things is no failure. */
export const PATIENT = { timeoutMs: 120_000 }

export interface CellParts {
  createDatabase(): Promise<Pick<TestDatabase, 'url' | 'db' | 'pool'>>
  kafka: TestKafka
  spawnService: SpawnService
}

/** One cell of the matrix: an installation with a topic of its own, whose relays can be struck. */
export interface Cell {
  readonly pool: Pool
  readonly databaseUrl: string
  readonly installation: Installation
  /** Rows of every key, which each partition has some of. */
  insert(): Promise<void>
  /** With these variables over the cell's own. */
  start(env?: Record<string, string>): Promise<ServiceProcess>
  /** From now on the relays have this fault, and no earlier one. */
  arm(strike: Strike): Fault
  /** So many rows more are expected in the topic, which came there another way. */
  expectMore(rows: number): void
  /** Every partition is held by one of so many replicas, each with its fair share, and has its first receipt. */
  isSteady(replicas: number): Promise<void>
  isDrained(): Promise<void>
  /** What a read_committed consumer makes of the topic. */
  examine(): Promise<Verdict>
  /** Holds the topic to all that was inserted. */
  isOnceAndInOrder(): Promise<void>
  close(): void
}

export async function openCell(
  { createDatabase, kafka, spawnService }: CellParts,
  partitions = PARTITIONS,
): Promise<Cell> {
  const database = await createDatabase()
  const { pool } = database
  const installation = await makeInstallation(database.pool, partitions)
  const folder = mkdtempSync(join(tmpdir(), 'crash-'))
  const faultFile = join(folder, 'fault.json')
  const environment = {
    ...relayEnvironment(database, kafka.brokers, installation),
    ...ENVIRONMENT,
    NODE_OPTIONS: `--import=${PRELOAD}`,
    [FAULT_VARIABLE]: faultFile,
  }
  const examineTopic = async () => examine(await kafka.readAll(installation.topic))
  let rounds = 0
  let inserted = 0
  return {
    ...{ pool, databaseUrl: database.url, installation },
    async insert() {
      await insertRows(pool, installation, { keys: KEYS, rows: ROWS, from: 1 + (rounds * ROWS) / KEYS })
      rounds += 1
      inserted += ROWS
    },
    start: (env) => spawnService(RELAY, { ...environment, ...env }),
    arm(strike) {
      const fault = { ...strike, struckFile: join(folder, randomUUID()) }
      // A relay that looks just now sees a whole fault or none.
      writeFileSync(`${faultFile}.draft`, JSON.stringify(fault))
      renameSync(`${faultFile}.draft`, faultFile)
      return fault
    },
    expectMore(rows) {
      inserted += rows
    },
    async isSteady(replicas) {
      await waitFor(async () => expect(await readHeld(pool)).toEqual(shareOut(partitions, replicas)), PATIENT)
    },
    async isDrained() {
      await waitFor(async () => expect(await countOutbox(pool)).toBe(0), PATIENT)
    },
    examine: examineTopic,
    async isOnceAndInOrder() {
      const { rows } = await pool.query('select halted_reason from relay_partitions where halted_at is not null')
      expect(rows).toEqual([])
      expect(await examineTopic()).toEqual({ distinct: inserted, doubled: 0, outOfOrder: 0 })
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}

/** How many partitions each replica holds that have their first receipt, most first. */
async function readHeld(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query(
    `select count(*)::int as held from relay_partitions
      where lease_expires_at > now() and receipt_at is not null group by lease_owner order by held desc`,
  )
  return rows.map(({ held }) => held)
}

const shareOut = (partitions: number, replicas: number): number[] =>
  Array.from({ length: replicas }, () => partitions / replicas)

/** Waits until a process has struck itself, and proves that it did: it is dead, or stands still. */
export async function waitUntilStruck(
  { struckFile, signal }: Fault,
  relays: readonly ServiceProcess[],
): Promise<{ victim: ServiceProcess; lane: number | undefined }> {
  await waitFor(() => existsSync(struckFile) && readFileSync(struckFile).length > 0, PATIENT)
  const { pid, lane } = JSON.parse(readFileSync(struckFile, 'utf8')) as Struck
  const victim = relays.find((relay) => relay.pid === pid)
  if (!victim) throw new Error(`process ${pid} was struck, which is none of these relays`)
  if (signal === 'SIGKILL') expect(await victim.exited).toEqual({ code: null, signal })
  else await waitFor(() => isStopped(pid), PATIENT)
  return { victim, lane }
}

/** Whether a process stands still, as SIGSTOP leaves it. */
function isStopped(pid: number): boolean {
  return spawnSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).stdout.startsWith('T')
}

/** How many replicas hold a lease that has not run out, and how many partitions. */
export async function readLeases(pool: Pool): Promise<{ owners: number; partitions: number }> {
  const { rows } = await pool.query(
    `select count(distinct lease_owner)::int as owners, count(*)::int as partitions
       from relay_partitions where lease_expires_at > now()`,
  )
  return rows[0]
}
