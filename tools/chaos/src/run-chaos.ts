import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Screen } from '@streamledger/engines'
import { takeRunLock } from '@streamledger/engines'
import { type Campaign, countFaults, loadCampaign, type Piece, saveCampaign } from './campaign.ts'
import type { ChaosArguments } from './chaos-arguments.ts'
import { type InjectedFault, runFaults } from './faults/run-faults.ts'
import { AnswerFile } from './load/answer-file.ts'
import { ExportOrders } from './load/export-orders.ts'
import { Load } from './load/load.ts'
import { signUp } from './load/sign-up.ts'
import { describeCampaign, type Report } from './render-report.ts'
import { drawSchedule, type PlannedFault, replicasBefore } from './schedule/draw-schedule.ts'
import { openStack, type Stack } from './stack/open-stack.ts'
import type { Role } from './stack/replica.ts'
import { askAgain } from './verdict/ask-again.ts'
import { checkFiles } from './verdict/check-files.ts'
import { comeToRest } from './verdict/come-to-rest.ts'
import { Findings } from './verdict/findings.ts'
import { type Judged, judgeSystem } from './verdict/judge-system.ts'
import { watchProgress } from './watch-progress.ts'

const DIR = resolve(import.meta.dirname, '../../../.local/chaos')
const USERS = 40
/** Maximum time from the end of the last fault until each client has its final answer. */
const ANSWERS_MAX_MS = 120_000

interface Run {
  readonly args: ChaosArguments
  readonly screen: Screen
  readonly signal: AbortSignal
  readonly dir: string
  readonly logDir: string
  readonly campaign: Campaign
  readonly findings: Findings
  readonly injected: InjectedFault[]
}

/** One run: starts the system, injects faults, waits for recovery, judges, and stops everything. */
export async function runChaos(args: ChaosArguments, screen: Screen, signal: AbortSignal): Promise<Report> {
  const home = args.campaign === undefined ? DIR : resolve(args.campaign)
  const lock = await takeRunLock({ dir: home, name: 'chaos', entry: 'tools/chaos/src/main.ts' })
  try {
    const dir = args.campaign === undefined ? clearRunDir(home) : home
    const campaign = loadCampaign(dir, args.seed)
    const logDir = join(dir, 'logs', `run-${nameLogs(dir)}`)
    const run: Run = { args, screen, signal, dir, logDir, campaign, findings: new Findings(), injected: [] }
    mkdirSync(logDir, { recursive: true })
    const began_at = new Date().toISOString()
    const startedAt = performance.now()
    const outcome = await runInStack(run, lock)
    signal.throwIfAborted()
    const piece: Piece = {
      ...{ began_at, seconds: Math.round((performance.now() - startedAt) / 1_000), ...outcome },
      ...{ from: campaign.next, to: campaign.next + run.injected.length },
      ...{ faults: countFaults(run.injected), verdict: run.findings.counts, ok: run.findings.total === 0 },
    }
    const next: Campaign = { ...campaign, next: piece.to, pieces: [...campaign.pieces, piece] }
    saveCampaign(dir, next)
    return {
      ...{ seed: args.seed, ok: piece.ok, piece, findings: run.findings.examples, logs: keep(dir, logDir, piece.ok) },
      campaign: args.campaign === undefined ? undefined : describeCampaign(home, next),
    }
  } finally {
    lock.release()
  }
}

/** A run without a campaign starts with an empty folder; `keep` has moved the folder of a failed run away. */
function clearRunDir(home: string): string {
  const dir = join(home, 'run')
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  return dir
}

function nameLogs(dir: string): number {
  const logs = join(dir, 'logs')
  return existsSync(logs) ? readdirSync(logs).length + 1 : 1
}

/** Moves the folder of a failed run away, because the next run clears its folder. */
function keep(dir: string, logDir: string, ok: boolean): string {
  if (ok || dir !== join(DIR, 'run')) return logDir
  const kept = join(DIR, `failed-${new Date().toISOString().replaceAll(':', '-')}`)
  renameSync(dir, kept)
  return join(kept, 'logs')
}

async function runInStack(run: Run, lock: Parameters<typeof openStack>[0]['lock']) {
  const { args, screen, signal, dir, logDir, campaign, findings } = run
  const replicas = replicasBefore(args.seed, campaign.next)
  let exporter_exits = 0
  const onSelfExit = (line: string, role?: Role) => {
    screen.progress(line)
    if (role === 'exporter') exporter_exits += 1
    else findings.add('self_exits', line)
  }
  const kafkaSettings = { 'compression.type': args.compression }
  await using stack = await openStack({
    dir,
    logDir,
    replicas,
    lock,
    signal,
    log: screen.progress,
    onSelfExit,
    kafkaSettings,
  })
  const users = await signUp(stack.apiUrl(), USERS)
  const answers = new AnswerFile(join(dir, `answers-${nameAnswers(dir)}.ndjson`))
  const onWrong = (line: string) => findings.add('wrong_answers', line)
  const load = new Load({ apiUrls: stack.apiUrls, users, rate: args.rate, answers, onWrong })
  const orders = new ExportOrders({ apiUrls: stack.apiUrls, users, onWrong })
  const progress = watchProgress({ screen, stack, load, injected: run.injected })
  try {
    await breakThings(run, { stack, load, orders })
    screen.progress(`${run.injected.length} faults are over; waiting for recovery`)
    await settle(run, { stack, load, orders })
    await answers.close()
    screen.progress('recovered; checking everything')
    const judged = await judge(run, { stack, load, wallets: users.map(({ wallet_id }) => wallet_id) })
    return {
      ...{ judged, exporter_exits },
      load: { ...load.counts, exports_ordered: orders.counts.ordered, exports_downloaded: orders.counts.downloaded },
    }
  } finally {
    progress.stop()
    load.abandon()
    await answers.close().catch(() => {})
  }
}

function nameAnswers(dir: string): number {
  return readdirSync(dir).filter((name) => name.startsWith('answers-')).length + 1
}

interface Loaded {
  stack: Stack
  load: Load
  orders: ExportOrders
}

async function breakThings(run: Run, { stack, load, orders }: Loaded): Promise<void> {
  const { args, signal, screen, campaign, dir, injected, findings } = run
  const until = args.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + args.minutes * 60_000
  const end = campaign.next + (args.faults ?? Number.POSITIVE_INFINITY)
  const goesOn = ({ index }: PlannedFault) => index < end && performance.now() < until
  const onInjected = (fault: InjectedFault) => {
    injected.push(fault)
    appendFileSync(join(dir, 'faults.ndjson'), `${JSON.stringify(fault)}\n`)
    const { index, kind, victims, detail, took_ms, confirmed } = fault
    if (args.verbose)
      screen.progress(`${index} ${kind} ${victims}: ${detail}, ${took_ms} ms${confirmed ? '' : ', NOT SEEN'}`)
  }
  const deps = {
    stack,
    inFlight: (api: string) => load.inFlight(api),
    orderExports: (count: number) => orders.orderSome(count),
    signal,
  }
  const faults = skip(drawSchedule(args.seed), campaign.next)
  try {
    await runFaults(deps, { faults, goesOn, onInjected })
  } catch (error) {
    signal.throwIfAborted()
    findings.add('broken_off', (error as Error).message)
  }
}

function* skip(faults: Iterable<PlannedFault>, count: number): Generator<PlannedFault> {
  for (const fault of faults) if (fault.index >= count) yield fault
}

async function settle(run: Run, { stack, load, orders }: Loaded): Promise<void> {
  const { args, campaign, injected, signal, findings } = run
  await stack.restore(replicasBefore(args.seed, campaign.next + injected.length))
  const patience = AbortSignal.timeout(ANSWERS_MAX_MS)
  const isLate = await Promise.race([
    Promise.all([load.stop(), orders.stop()]).then(() => false),
    new Promise<boolean>((resolve) =>
      AbortSignal.any([patience, signal]).addEventListener('abort', () => resolve(true)),
    ),
  ])
  signal.throwIfAborted()
  if (isLate) {
    load.abandon()
    await load.stop()
    findings.add('unanswered', `clients had no final answer ${ANSWERS_MAX_MS / 1_000} s after the last fault`)
  }
  await comeToRest(stack.pool)
}

async function judge(
  { dir, findings, signal }: Run,
  { stack, load, wallets }: { stack: Stack; load: Load; wallets: readonly number[] },
): Promise<Judged | undefined> {
  const answerFiles = readdirSync(dir)
    .filter((name) => name.startsWith('answers-'))
    .map((name) => join(dir, name))
  const { pool, databaseUrl, brokers } = stack
  try {
    await askAgain({ apiUrls: stack.apiUrls, remembered: load.remembered, findings })
    await checkFiles(pool, join(dir, 'exports'), findings)
    return await judgeSystem(
      { pool, databaseUrl, brokers, answerFiles, wallets, answered: load.counts.answered },
      findings,
    )
  } catch (error) {
    signal.throwIfAborted()
    findings.add('broken_off', (error as Error).stack ?? String(error))
    return undefined
  }
}
