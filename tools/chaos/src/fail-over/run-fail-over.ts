import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Screen, takeRunLock } from '@streamledger/engines'
import { waitFor } from '@streamledger/testkit/wait-for'
import { AnswerFile } from '../load/answer-file.ts'
import { ExportOrders } from '../load/export-orders.ts'
import { Load } from '../load/load.ts'
import { signUp } from '../load/sign-up.ts'
import type { Role } from '../stack/replica.ts'
import { askAgain } from '../verdict/ask-again.ts'
import { checkFiles } from '../verdict/check-files.ts'
import { comeToRest } from '../verdict/come-to-rest.ts'
import { Findings } from '../verdict/findings.ts'
import { type Judged, judgeSystem } from '../verdict/judge-system.ts'
import type { FailOverArguments } from './fail-over-arguments.ts'
import { type FailOverStack, openFailOverStack } from './open-fail-over-stack.ts'
import { endOrphans } from './patroni-cluster.ts'
import { drawTurns, inject, TURNS, type Turn } from './turns.ts'

interface TurnResult extends Turn {
  readonly at: string
  readonly from: string
  readonly to: string
  /** The longest time of the turn without an accepted posting. */
  readonly pause_ms: number
}

export interface FailOverReport {
  readonly seed: number
  readonly turns: readonly TurnResult[]
  readonly findings: Findings
  readonly judged: Judged | undefined
  readonly load: Load['counts']
  readonly exporterExits: number
}

const USERS = 24
const MOVES_MAX_MS = 120_000
const DRAINS_MAX_MS = 60_000
const ANSWERS_MAX_MS = 120_000
const PATIENT = { timeoutMs: MOVES_MAX_MS, intervalMs: 100 }

/** Fails over again and again under load, then judges everything that clients were answered. */
export async function runFailOver(
  args: FailOverArguments,
  screen: Screen,
  signal: AbortSignal,
): Promise<FailOverReport> {
  const lock = await takeRunLock({ dir: args.dir, name: 'fail-over', entry: 'tools/chaos/src/drill-main.ts' })
  try {
    const dir = join(args.dir, 'run')
    await endOrphans(join(dir, 'patroni'))
    rmSync(dir, { recursive: true, force: true })
    const findings = new Findings()
    const add = (kind: 'wrong_answers' | 'self_exits') => (line: string) => {
      screen.progress(`FOUND ${line}`)
      findings.add(kind, line)
    }
    let exporterExits = 0
    const onSelfExit = (line: string, role: Role) => {
      if (role !== 'exporter') return add('self_exits')(line)
      // An exporter may give up when its Postgres is gone.
      screen.progress(line)
      exporterExits += 1
    }
    await using stack = await openFailOverStack({
      dir,
      lock,
      signal,
      log: screen.progress,
      onSelfExit,
      synchronous: true,
    })
    const users = await signUp(stack.apiUrls()[0]?.url ?? '', USERS)
    const answers = new AnswerFile(join(dir, 'answers-1.ndjson'))
    const onWrong = add('wrong_answers')
    const load = new Load({ apiUrls: stack.apiUrls, users, rate: args.rate, answers, onWrong })
    const orders = new ExportOrders({ apiUrls: stack.apiUrls, users, onWrong })
    const turns: TurnResult[] = []
    try {
      await takeTurns({ args, dir, stack, load, turns, findings, screen, signal })
      screen.progress('waiting for the last answers')
      await settle({ stack, load, orders, findings, signal })
      await answers.close()
      screen.progress('checking everything')
      const wallets = users.map(({ wallet_id }) => wallet_id)
      const judged = await judge({ dir, stack, load, wallets, answerFile: answers.path, findings, signal })
      return { seed: args.seed, turns, findings, judged, load: load.counts, exporterExits }
    } finally {
      load.abandon()
    }
  } finally {
    lock.release()
  }
}

interface Turning {
  readonly args: FailOverArguments
  readonly dir: string
  readonly stack: FailOverStack
  readonly load: Load
  readonly turns: TurnResult[]
  readonly findings: Findings
  readonly screen: Screen
  readonly signal: AbortSignal
}

/** A turn that does not recover ends the run with a finding: the verdict shows what else is wrong. */
async function takeTurns(turning: Turning): Promise<void> {
  const { args, dir, turns, findings, screen, signal } = turning
  for (const turn of drawTurns(args.seed)) {
    if (turns.length === args.times) return
    try {
      const result = await takeTurn(turn, turning)
      turns.push(result)
      appendFileSync(join(dir, 'turns.ndjson'), `${JSON.stringify(result)}\n`)
      const way = result.from === result.to ? `the primary stays ${result.to}` : `${result.from} → ${result.to}`
      const halted = await countHalted(turning.stack)
      screen.progress(
        `${turns.length}/${args.times} ${turn.kind}: ${way}, next posting after ${inSeconds(result.pause_ms)}${halted ? `, ${halted} partitions HALTED` : ''}`,
      )
    } catch (error) {
      signal.throwIfAborted()
      const message = `turn ${turns.length + 1}, ${turn.kind}: ${(error as Error).message}`
      screen.progress(`FOUND ${message}`)
      return findings.add('broken_off', message)
    }
  }
}

async function takeTurn(turn: Turn, { stack, load, signal }: Turning): Promise<TurnResult> {
  const { patroni, pool } = stack
  const accepted = () => load.counts.answered - load.counts.refused
  const untilAccepted = () => {
    const before = accepted()
    return waitFor(() => accepted() > before, PATIENT)
  }
  const now = await patroni.untilHealthy()
  await untilAccepted()
  const watch = watchPauses(accepted)
  const at = new Date().toISOString()
  try {
    const end = await inject(turn, stack, now)
    try {
      if (TURNS[turn.kind].moves) {
        const hasMoved = ({ name, role }: { name: string; role: string }) => role === 'leader' && name !== now.leader
        await waitFor(async () => (await patroni.members()).some(hasMoved), PATIENT)
      }
      await delay(turn.lasts_ms, undefined, { signal })
    } finally {
      await end()
    }
    const after = await patroni.untilHealthy()
    await untilAccepted()
    // The next turn must find Kafka recovered, too.
    const drained = 'select from outbox having count(*) < 100'
    await waitFor(async () => (await pool.query(drained)).rowCount === 1, { ...PATIENT, timeoutMs: DRAINS_MAX_MS })
    return { ...turn, at, from: now.leader, to: after.leader, pause_ms: Math.round(watch.stop()) }
  } finally {
    watch.stop()
  }
}

/** Measures the longest time in which a count stays the same. */
function watchPauses(count: () => number): { stop(): number } {
  let [last, since, longest] = [count(), performance.now(), 0]
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - since)
    if (count() !== last) [last, since] = [count(), performance.now()]
  }, 10)
  return {
    stop: () => {
      clearInterval(timer)
      return longest
    },
  }
}

async function countHalted({ pool }: FailOverStack): Promise<number> {
  const { rowCount } = await pool.query('select from relay_partitions where halted_at is not null')
  return rowCount ?? 0
}

interface Settling extends Pick<Turning, 'stack' | 'load' | 'findings' | 'signal'> {
  readonly orders: ExportOrders
}

async function settle({ stack, load, orders, findings, signal }: Settling): Promise<void> {
  const late = new AbortController()
  const answered = Promise.all([load.stop(), orders.stop()]).then(() => true)
  const tooLate = delay(ANSWERS_MAX_MS, false, { signal: AbortSignal.any([signal, late.signal]) }).catch(() => false)
  const isAnswered = await Promise.race([answered, tooLate])
  late.abort()
  signal.throwIfAborted()
  if (!isAnswered) {
    load.abandon()
    findings.add('unanswered', `clients had no final answer ${ANSWERS_MAX_MS / 1_000} s after the last turn`)
  }
  await comeToRest(stack.pool)
}

interface Judging extends Pick<Turning, 'dir' | 'stack' | 'load' | 'findings' | 'signal'> {
  readonly wallets: readonly number[]
  readonly answerFile: string
}

async function judge({
  dir,
  stack,
  load,
  wallets,
  answerFile,
  findings,
  signal,
}: Judging): Promise<Judged | undefined> {
  const { pool, databaseUrl, brokers } = stack
  try {
    await askAgain({ apiUrls: stack.apiUrls, remembered: load.remembered, findings })
    await checkFiles(pool, join(dir, 'exports'), findings)
    const system = { pool, databaseUrl, brokers, answerFiles: [answerFile], wallets, answered: load.counts.answered }
    return await judgeSystem(system, findings)
  } catch (error) {
    signal.throwIfAborted()
    findings.add('broken_off', (error as Error).stack ?? String(error))
    return undefined
  }
}

export const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
