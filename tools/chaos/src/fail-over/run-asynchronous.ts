import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readTopic, type Screen, type TopicRecord, takeRunLock } from '@streamledger/engines'
import { waitFor } from '@streamledger/testkit/wait-for'
import { Account } from '../drill/account.ts'
import { sortAnswers } from '../drill/judge-answers.ts'
import { AnswerFile } from '../load/answer-file.ts'
import { Load } from '../load/load.ts'
import { signUp, type User } from '../load/sign-up.ts'
import { comeToRest } from '../verdict/come-to-rest.ts'
import { runCli, spawnCli } from '../verdict/run-cli.ts'
import type { FailOverArguments } from './fail-over-arguments.ts'
import { type FailOverStack, openFailOverStack, TOPIC } from './open-fail-over-stack.ts'
import { endOrphans } from './patroni-cluster.ts'

interface Loss {
  /** Answers of the turn, and those of them that the new primary did not have. */
  readonly answers: number
  readonly lost: number
  /** Of the lost ones: transactions whose event is in the topic; other transactions; refusals, which have no event. */
  readonly named: number
  readonly unpublished: number
  readonly refusals: number
  /** What `reconcile` counts as foreign. It also has transactions whose answer no client got. */
  readonly foreign: number
  readonly put_back: number
  readonly recorded: number
}

export interface AsynchronousReport {
  readonly seed: number
  readonly losses: readonly Loss[]
  readonly account: Account
}

interface Losing {
  readonly args: FailOverArguments
  readonly dir: string
  readonly stack: FailOverStack
  readonly users: readonly User[]
  readonly account: Account
}

const USERS = 24
/** Orders before the standbys are cut off, and after it. The last of them are lost. */
const ORDERS = 80
const PATIENT = { timeoutMs: 120_000, intervalMs: 100 }

/**
 * The primary replicates asynchronously, and is killed under load when its standbys lack the last postings. Then the
 * operator does what the runbook says. What clients were answered and is gone must be what `reconcile` and the runbook say.
 */
export async function runAsynchronous(
  args: FailOverArguments,
  screen: Screen,
  signal: AbortSignal,
): Promise<AsynchronousReport> {
  const lock = await takeRunLock({ dir: args.dir, name: 'fail-over', entry: 'tools/chaos/src/drill-main.ts' })
  try {
    const dir = join(args.dir, 'run')
    await endOrphans(join(dir, 'patroni'))
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir, { recursive: true })
    const account = new Account(screen)
    const onSelfExit = (line: string, role: string) => {
      // An exporter may give up when its Postgres is gone.
      if (role === 'exporter') account.tell(line)
      else account.claim(false, 'no process ends unexpectedly', line)
    }
    const options = { dir, lock, signal, log: screen.progress, onSelfExit, synchronous: false }
    await using stack = await openFailOverStack(options)
    const users = await signUp(stack.apiUrls()[0]?.url ?? '', USERS)
    const losses: Loss[] = []
    for (let turn = 1; turn <= args.times; turn++) {
      signal.throwIfAborted()
      account.begin(`turn ${turn} of ${args.times}`)
      losses.push(await loseCommits({ args, dir, stack, users, account }, turn))
    }
    return { seed: args.seed, losses, account }
  } finally {
    lock.release()
  }
}

async function loseCommits(losing: Losing, turn: number): Promise<Loss> {
  const { stack, account } = losing
  const { patroni, pool } = stack
  const { leader } = await patroni.untilHealthy()
  const before = post(losing, `${turn}-before`)
  await before.untilAnswered(ORDERS)
  await cutStandbysOff(stack)
  await before.untilAnswered(ORDERS)
  const primary = patroni.nodes.get(leader)
  await primary?.kill()
  await before.abandon()
  await waitFor(
    async () => (await patroni.members()).some(({ name, role }) => role === 'leader' && name !== leader),
    PATIENT,
  )
  await waitFor(() => pool.query('alter role standby login').then(() => true), PATIENT)
  await primary?.start()
  const { leader: successor } = await patroni.untilHealthy()
  account.tell(
    `${leader} → ${successor}; ${before.load.counts.answered} answers were given before the primary was killed`,
  )

  const after = post(losing, `${turn}-after`)
  await after.untilAnswered(ORDERS / 2)
  await untilLanesAreSettled(stack)
  await after.stop()
  const loss = await compare(losing, before.file)
  const put_back = await resolve(losing, turn)
  const { recorded } = await judgeAfterwards(losing, { before: before.file, after: after.file, loss })
  return { ...loss, put_back, recorded, answers: before.load.counts.answered }
}

/** The standbys get no more WAL: their role may not log in, and its sessions end. Both are lost with the primary. */
async function cutStandbysOff({ pool }: FailOverStack): Promise<void> {
  await pool.query('alter role standby nologin')
  await waitFor(async () => {
    const { rowCount } = await pool.query('select pg_terminate_backend(pid) from pg_stat_replication')
    return rowCount === 0
  }, PATIENT)
}

/** Clients that post until they are stopped. */
function post({ args, dir, stack, users, account }: Losing, name: string) {
  const file = join(dir, `answers-${name}.ndjson`)
  const answers = new AnswerFile(file)
  const onWrong = (line: string) => account.claim(false, 'no client gets a wrong answer', line)
  const load = new Load({ apiUrls: stack.apiUrls, users, rate: args.rate, answers, onWrong })
  const stop = async () => {
    await load.stop()
    await answers.close()
  }
  return {
    ...{ load, file, stop },
    untilAnswered: async (count: number) => {
      const goal = load.counts.answered + count
      await waitFor(() => load.counts.answered >= goal, PATIENT)
    },
    abandon: async () => {
      load.abandon()
      await stop()
    },
  }
}

/** Waits until each partition has published all that it may: the others are halted. */
async function untilLanesAreSettled({ pool }: FailOverStack): Promise<void> {
  await waitFor(
    async () => (await pool.query('select from relay_partitions where halted_at is not null')).rowCount !== 0,
    PATIENT,
  )
  await comeToRest(pool)
}

/** Compares what clients were answered with the new primary, and what is gone with what `reconcile` names. */
async function compare({ stack, account }: Losing, file: string) {
  const records = await readTopic(stack.brokers, TOPIC)
  const unknown = await countUnknown(stack, records)
  const { faults } = await runCli(['reconcile'], stack)
  const foreign = faults?.foreign ?? 0
  account.claim(foreign === unknown, `reconcile names the ${unknown} events that the new primary does not have`, faults)
  const { unexplained, forgotten, orphaned } = await sortAnswers({ stack }, file, records)
  const refusals = forgotten.filter(({ status }) => status !== 201).length
  const named = unexplained.length
  const lost = named + forgotten.length
  account.claim(named > 0, 'something was lost that a client was answered; without it the turn shows nothing', lost)
  account.claim(orphaned.length === 0, 'nothing is recorded as lost before relay resolve', orphaned.length)
  account.claim(named <= foreign, `the ${named} lost transactions with an event are among them`, foreign)
  account.tell(
    `lost: ${lost} answers; ${forgotten.length - refusals} transactions without an event, ${refusals} refusals`,
  )
  return { lost, named, refusals, foreign, unpublished: forgotten.length - refusals }
}

/** The number of events whose transaction Postgres has neither in the ledger nor among those that are lost for good. */
async function countUnknown({ pool }: FailOverStack, records: readonly TopicRecord[]): Promise<number> {
  const ids = records.map(({ value }) => JSON.parse(value ?? '{}').transaction_id as number)
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from unnest($1::bigint[]) as event (id)
      where not exists (select from transactions t where t.id = event.id)
        and not exists (select from orphaned_events o where (o.payload::json ->> 'transaction_id')::bigint = event.id)`,
    [ids],
  )
  return rows[0]?.count ?? 0
}

/** The runbook's step. Returns the number of transactions that are in the ledger again. */
async function resolve({ stack, account }: Losing, turn: number): Promise<number> {
  const count = async () => {
    const { rows } = await stack.pool.query<{ count: number }>('select count(*)::int as count from transactions')
    return rows[0]?.count ?? 0
  }
  const before = await count()
  const args = ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', `fail-over ${turn}`, '--yes']
  const { code, text } = await spawnCli(args, stack)
  account.quote(text)
  account.claim(code === 0, 'relay resolve --all --lost put-back ends with exit code 0', code)
  return (await count()) - before
}

interface Afterwards {
  readonly before: string
  readonly after: string
  readonly loss: { readonly unpublished: number; readonly refusals: number }
}

/** The stream agrees with the ledger, and no answer is gone but those that the runbook names. */
async function judgeAfterwards({ stack, account }: Losing, { before, after, loss }: Afterwards) {
  await comeToRest(stack.pool)
  const records = await readTopic(stack.brokers, TOPIC)
  const found = await sortAnswers({ stack }, before, records)
  const { orphaned, unexplained, forgotten } = found
  account.claim(unexplained.length === 0, 'each lost transaction with an event is put back or recorded', unexplained[0])
  const without = loss.unpublished + loss.refusals
  account.claim(
    forgotten.length === without,
    `gone for good are the ${without} answers without an event`,
    forgotten.length,
  )
  const since = await sortAnswers({ stack }, after, records)
  const changed = since.orphaned.length + since.forgotten.length + since.unexplained.length
  account.claim(changed === 0, 'no answer from after the fail-over is gone or changed', changed)
  for (const command of ['verify', 'reconcile', 'outbox status']) {
    const { code, text } = await spawnCli(command.split(' '), stack)
    account.claim(code === 0, `${command} ends with exit code 0`, text)
  }
  return { recorded: orphaned.length }
}

/** The result as Markdown, for docs/reliability.md. */
export function renderAsynchronous({ seed, losses, account }: AsynchronousReport): string {
  const rows = losses.map(
    (one, index) =>
      `| ${index + 1} | ${one.answers} | ${one.lost} | ${one.named} | ${one.unpublished} | ${one.refusals} | ${one.foreign} | ${one.put_back} | ${one.recorded} |`,
  )
  return [
    `Seed ${seed}.`,
    '',
    '| turn | answers | lost with the primary | transactions with an event | without one | refusals | foreign for `reconcile` | put back | answers recorded as lost |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows,
    '',
    account.failed.length === 0
      ? `All ${account.claims} claims hold.`
      : `${account.failed.length} of ${account.claims} claims FAIL:`,
    ...account.failed.map((one) => `  ${one}`),
  ].join('\n')
}
