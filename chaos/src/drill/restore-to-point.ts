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
/** Of the answers that were kept, so many are asked for again; of those that were forgotten, all. */
const KEPT_SAMPLE = 100

/**
 * As the runbook has it: the API is stopped, Postgres is restored to an instant, the relays halt, what the topic has is put
 * back, and the API is started again.
 */
export async function restoreToPoint(drill: Drill): Promise<void> {
  const { account } = drill
  account.begin(
    'Postgres is restored to a point in time, and Kafka is ahead; the API is stopped, as the runbook has it',
  )
  const before = await orderBeforeTarget(drill)
  const stage = stageLoad(drill, 'point-in-time')
  await takeBase(drill)
  await untilAnswered(stage, ORDERS)
  const target = await readMark(drill)
  account.tell(`the point to come back to: ${target.time}, with ${target.transactions} transactions`)
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
    `the API is stopped; ${last.transactions - target.transactions} transactions are newer than that point, and the topic lacks the last ${unpublished}`,
  )

  const lostAt = performance.now()
  await restorePostgres(drill, { target: { recovery_target_time: target.time }, walSurvives: false })
  const restored = await readMark(drill)
  account.claim(
    restored.transactions === target.transactions,
    `Postgres has the ${target.transactions} transactions of that point`,
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

/** The halt, and the way out of it, as somebody types it. */
async function putBack(drill: Drill, { target, lost }: { target: string; lost: number }): Promise<void> {
  const { stack, account } = drill
  await untilHalted(drill)
  account.claim((await typeCommand(drill, ['outbox', 'status'])) === 1, 'outbox status tells of it, with exit code 1')
  const { faults } = await runCli(['reconcile'], cliEnv(drill))
  account.claim(faults?.foreign === lost, `reconcile tells the ${lost} events that Postgres does not have`, faults)
  account.claim(
    (await typeCommand(drill, ['relay', 'resolve', '--all'])) === 2,
    'relay resolve --all shows what it would do, and does nothing',
  )
  const before = await readMark(drill)
  const resolve = ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', `restored to ${target}`, '--yes']
  account.claim((await typeCommand(drill, resolve)) === 0, 'relay resolve does it')
  const found = (await readMark(drill)).transactions - before.transactions
  account.claim(found === lost, `all ${lost} are in the ledger again`, found)
  const { rows } = await stack.pool.query<{ orphans: number; sources: number }>(
    `select (select count(*)::int from orphaned_events) as orphans, (select count(*)::int from event_sources) as sources`,
  )
  const none = rows[0]?.orphans === 0 && rows[0].sources === 0
  account.claim(none, 'none is lost for good, and events keep their source', rows[0])
}

interface Told {
  file: string
  records: readonly TopicRecord[]
  unpublished: number
}

/** Every answer has a fate that the runbook promises, and clients who ask again get what they must. */
async function judgeClients(drill: Drill, { file, records, unpublished }: Told): Promise<void> {
  const { account } = drill
  const { kept, orphaned, forgotten, unexplained } = await sortAnswers(drill, file, records)
  const posted = forgotten.filter(({ status }) => status === 201).length
  account.tell(
    `of the answers, ${kept.length} are kept; ${posted} were of transactions that no topic had, ${forgotten.length - posted} were refusals`,
  )
  account.claim(
    unexplained.length + orphaned.length === 0,
    'no other answer is lost or otherwise',
    unexplained.slice(0, 3),
  )
  account.claim(posted <= unpublished, `no more are lost than the topic lacked: ${unpublished}`, posted)
  const again = await askTwice(drill, kept.slice(-KEPT_SAMPLE))
  const allKnown = again.replayed === Math.min(kept.length, KEPT_SAMPLE)
  account.claim(allKnown, 'who repeats an order that was kept gets the same bytes', again)
  const anew = await askTwice(drill, forgotten)
  account.claim(
    anew.wrong.length === 0,
    `who repeats one that is lost has it decided now, once: ${anew.decidedAnew} of ${forgotten.length}`,
    anew.wrong,
  )
}
