import type { TopicRecord } from '@streamledger/engines'
import type { Replica } from '../stack/replica.ts'
import { runCli } from '../verdict/run-cli.ts'
import { inSeconds } from './account.ts'
import type { Drill } from './drill.ts'
import { judgeExports, orderAfterTarget, orderBeforeTarget } from './drill-exports.ts'
import { cliEnv, judgeAll, typeCommand } from './judge.ts'
import { askTwice, sortAnswers } from './judge-answers.ts'
import { restorePostgres } from './restore-postgres.ts'
import { type Stage, stageLoad } from './stage-load.ts'
import { archiveNow, readMark, replicasOf, startAll, stopAll, takeBase, untilAnswered, untilHalted } from './steps.ts'

const ORDERS = 300
const UNPUBLISHED = 60
/** Number of kept answers that are repeated; of the forgotten ones all are. */
const KEPT_SAMPLE = 100

/**
 * As in the runbook: the API is stopped, Postgres is restored to a point in time, the relays halt, the events of the
 * topic are put back into the ledger, and the API is started again.
 */
export async function restoreToPoint(drill: Drill): Promise<void> {
  const { account } = drill
  account.begin('Postgres is restored to a point in time, and Kafka is ahead; the API is stopped, as in the runbook')
  const before = await orderBeforeTarget(drill)
  const stage = stageLoad(drill, 'point-in-time')
  await takeBase(drill)
  await untilAnswered(stage, ORDERS)
  const target = await readMark(drill)
  account.tell(`the target of the restore: ${target.time}, with ${target.transactions} transactions`)
  await untilAnswered(stage, ORDERS)
  const exports = await orderAfterTarget(drill, before)
  await archiveNow(drill)
  const relays = replicasOf(drill, 'relay')
  await leaveUnpublished(stage, relays)
  const apis = replicasOf(drill, 'api')
  await stopAll(apis)
  const { records } = await drill.events.look()
  const last = await readMark(drill)
  const unpublished = last.transactions - records.length
  account.tell(
    `the API is stopped; ${last.transactions - target.transactions} transactions are newer than the target, and the last ${unpublished} are not in the topic`,
  )

  const lostAt = performance.now()
  await restorePostgres(drill, { target: { recovery_target_time: target.time }, walSurvives: false })
  const restored = await readMark(drill)
  account.claim(
    restored.transactions === target.transactions,
    `Postgres has the ${target.transactions} transactions of the target`,
    restored.transactions,
  )
  await startAll(drill, relays)
  await putBack(drill, { target: target.time, lost: last.transactions - unpublished - target.transactions })
  await startAll(drill, apis)
  account.tell(`clients can post again ${inSeconds(performance.now() - lostAt)} after the loss`)
  await judgeClients(drill, { file: stage.file, records, unpublished })
  await judgeAll(drill)
  await judgeExports(drill, exports)
}

/** Ends the relays while clients post, so that the last transactions are in Postgres and nowhere else. */
async function leaveUnpublished(stage: Stage, relays: readonly Replica[]): Promise<void> {
  await Promise.all(relays.map((relay) => relay.kill()))
  await untilAnswered(stage, UNPUBLISHED)
  await stage.stop()
}

/** The halt, and the commands with which an operator resolves it. */
async function putBack(drill: Drill, { target, lost }: { target: string; lost: number }): Promise<void> {
  const { stack, account } = drill
  await untilHalted(drill)
  account.claim(
    (await typeCommand(drill, ['outbox', 'status'])) === 1,
    'outbox status shows the halt, with exit code 1',
  )
  const { faults } = await runCli(['reconcile'], cliEnv(drill))
  account.claim(faults?.foreign === lost, `reconcile finds the ${lost} events that Postgres does not have`, faults)
  account.claim(
    (await typeCommand(drill, ['relay', 'resolve', '--all'])) === 2,
    'relay resolve --all shows what it would do, and changes nothing',
  )
  const before = await readMark(drill)
  const resolve = ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', `restored to ${target}`, '--yes']
  account.claim((await typeCommand(drill, resolve)) === 0, 'relay resolve ends with exit code 0')
  const found = (await readMark(drill)).transactions - before.transactions
  account.claim(found === lost, `all ${lost} transactions are in the ledger again`, found)
  const { rows } = await stack.pool.query<{ orphans: number; sources: number }>(
    `select (select count(*)::int from orphaned_events) as orphans, (select count(*)::int from event_sources) as sources`,
  )
  const none = rows[0]?.orphans === 0 && rows[0].sources === 0
  account.claim(none, 'no transaction is lost for good, and events keep their source', rows[0])
}

interface Answered {
  file: string
  records: readonly TopicRecord[]
  unpublished: number
}

/** Checks that each answer is kept or lost as the runbook says, and that repeated orders get the right answers. */
async function judgeClients(drill: Drill, { file, records, unpublished }: Answered): Promise<void> {
  const { account } = drill
  const { kept, orphaned, forgotten, unexplained } = await sortAnswers(drill, file, records)
  const posted = forgotten.filter(({ status }) => status === 201).length
  account.tell(
    `${kept.length} answers are kept; lost are ${posted} transactions that were not in the topic, and ${forgotten.length - posted} refusals`,
  )
  account.claim(
    unexplained.length + orphaned.length === 0,
    'no other answer is lost or changed',
    unexplained.slice(0, 3),
  )
  account.claim(
    posted <= unpublished,
    `only transactions that were not in the topic are lost: at most ${unpublished}`,
    posted,
  )
  const again = await askTwice(drill, kept.slice(-KEPT_SAMPLE))
  const allKnown = again.replayed === Math.min(kept.length, KEPT_SAMPLE)
  account.claim(allKnown, 'a repeated order that was kept gets the same bytes', again)
  const anew = await askTwice(drill, forgotten)
  account.claim(
    anew.wrong.length === 0,
    `a repeated order that was lost is decided again, once: ${anew.decidedAnew} of ${forgotten.length}`,
    anew.wrong,
  )
}
