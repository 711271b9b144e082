import type { TopicRecord } from '@streamledger/engines'
import { partitionFor } from '@streamledger/events'
import { waitFor } from '@streamledger/testkit/wait-for'
import { callApi } from '../load/call-api.ts'
import { signUp, type User } from '../load/sign-up.ts'
import { withAgent } from '../load/with-agent.ts'
import { type Drill, PATIENCE_MS } from './drill.ts'
import { judgeAll, typeCommand } from './judge.ts'
import { sortAnswers } from './judge-answers.ts'
import { restorePostgres } from './restore-postgres.ts'
import { type Stage, stageLoad } from './stage-load.ts'
import { archiveNow, readMark, takeBase, untilAnswered, untilHalted, untilPublished } from './steps.ts'

const ORDERS = 150
/** An API draws a thousand ids at a time, so this many orders need ids that were drawn after the target. */
const ORDERS_OF_A_DRAW = 1_700
const RATE_OF_A_DRAW = 1_000

/**
 * Nothing is stopped: clients post before, during and after the restore. Users of some partitions have posted nothing
 * since the target, so those partitions do not halt, and their events are published at once.
 */
export async function restoreUnderApi(drill: Drill): Promise<void> {
  const { account, events } = drill
  account.begin('Postgres is restored to a position in its WAL, while the API keeps running')
  const { quiet, busy, busyPartitions } = await splitUsers(drill)
  const all = stageLoad(drill, 'api-before')
  await untilAnswered(all, ORDERS)
  await takeBase(drill)
  await untilAnswered(all, ORDERS)
  await all.stop()
  await untilPublished(drill)
  const target = await readMark(drill)
  const fast = { ...drill, rate: RATE_OF_A_DRAW }
  const lost = stageLoad(fast, 'api-lost', busy)
  await untilAnswered(lost, ORDERS_OF_A_DRAW)
  const [stranger] = await signUpSome(drill, 1)
  await lost.stop()
  await untilPublished(drill)
  await archiveNow(drill)
  const { records } = await events.look()
  const last = await readMark(drill)
  account.tell(
    `${last.transactions - target.transactions} transactions of ${busy.length} users, and a sign-up, are newer than the target`,
  )

  // Two of the users who have lost transactions continue at once, and so do all who have lost none.
  // They begin when Postgres is lost, so all their answers are from after the restore.
  let during!: Stage
  const alongside = async () => {
    during = stageLoad(drill, 'api-during', [...quiet, ...busy.slice(0, 2)])
  }
  await restorePostgres(drill, { target: { recovery_target_lsn: target.lsn }, walSurvives: false, alongside })
  await untilAnswered(during, ORDERS_OF_A_DRAW)
  const halted = await untilHalted(drill, busyPartitions)
  await untilPublished(drill, `partition <> all (array[${halted.join(', ')}])`)
  const { lookalikes } = await events.look()
  account.claim(
    lookalikes.length === 0,
    'events that are published before relay resolve do not have the identity of old ones',
    lookalikes,
  )
  await judgeStranger(drill, stranger as User)
  await typeCommand(drill, ['relay', 'resolve', '--all'])
  const resolve = ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', `restored to ${target.lsn}`, '--yes']
  account.claim((await typeCommand(drill, resolve)) === 0, 'relay resolve ends with exit code 0 while clients post')
  await untilAnswered(during, ORDERS)
  await during.stop()
  await judgeAll(drill)
  for (const stage of [all, lost, during]) await judgeClients(drill, stage, { records, isLost: stage === lost })
}

/**
 * Answers outside the lost period are kept. Of those since the target, some are recorded as lost, and refusals are
 * lost.
 */
async function judgeClients(
  drill: Drill,
  { file }: Stage,
  { records, isLost }: { records: readonly TopicRecord[]; isLost: boolean },
): Promise<void> {
  const { kept, orphaned, forgotten, unexplained } = await sortAnswers(drill, file, records)
  const refusals = forgotten.filter(({ status }) => status !== 201)
  drill.account.claim(
    unexplained.length === 0 &&
      refusals.length === forgotten.length &&
      (isLost || forgotten.length + orphaned.length === 0),
    `answers ${isLost ? 'from after the target' : 'outside the lost period'}: ${kept.length} are kept, ${orphaned.length} are recorded as lost, ${refusals.length} refusals are lost`,
    unexplained.slice(0, 3),
  )
}

/** Splits users by the partitions of their events: a third of the partitions is quiet. */
async function splitUsers({ stack, users }: Drill) {
  const { rows } = await stack.pool.query<{ wallet_id: number; user_id: number; partitions: number }>(
    `select w.id as wallet_id, w.user_id, t.partitions from wallets w cross join topic t`,
  )
  const partitions = new Map(rows.map((row) => [row.wallet_id, partitionFor(String(row.user_id), row.partitions)]))
  const partitionOf = ({ wallet_id }: User): number => partitions.get(wallet_id) ?? 0
  const quiet = users.filter((user) => partitionOf(user) % 3 === 0)
  const busy = users.filter((user) => partitionOf(user) % 3 !== 0)
  return { quiet, busy, busyPartitions: new Set(busy.map(partitionOf)).size }
}

function signUpSome({ stack }: Drill, count: number): Promise<User[]> {
  return signUp(stack.apiUrl(), count)
}

/**
 * A user who signed up after the target still has a valid token. It must not give access to a user who signs up now.
 */
async function judgeStranger(drill: Drill, stranger: User): Promise<void> {
  const { stack, account } = drill
  const newcomers = await waitFor(() => signUpSome(drill, 3), { timeoutMs: PATIENCE_MS })
  const call = { method: 'GET', path: '/wallet', token: stranger.token } as const
  const reply = await withAgent((agent) => callApi(agent, stack.apiUrl(), call))
  const isTaken = newcomers.some(({ wallet_id }) => wallet_id === stranger.wallet_id)
  account.claim(
    !isTaken && reply !== undefined && reply.status !== 200 && reply.status !== 503,
    'the token of a user who signed up after the target gives no access to another wallet',
    `${reply?.status} ${reply?.body}`,
  )
}
