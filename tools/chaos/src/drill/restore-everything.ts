import { waitFor } from '@streamledger/testkit/wait-for'
import { inSeconds } from './account.ts'
import { type Drill, PATIENCE_MS } from './drill.ts'
import { judgeAll } from './judge.ts'
import { sortAnswers } from './judge-answers.ts'
import { restorePostgres } from './restore-postgres.ts'
import { stageLoad } from './stage-load.ts'
import { takeBase, untilAnswered } from './steps.ts'

const ORDERS = 200

/**
 * The disk is lost, but not pg_wal, which was on another one: nothing is lost, and no operator has to decide anything.
 */
export async function restoreEverything(drill: Drill): Promise<void> {
  const { stack, account, events } = drill
  account.begin('Postgres is lost, but not its WAL: restored to the end, while clients keep trying')
  const stage = stageLoad(drill, 'everything')
  await untilAnswered(stage, ORDERS)
  await takeBase(drill)
  await untilAnswered(stage, ORDERS)
  const lostAt = performance.now()
  await restorePostgres(drill, { target: {}, walSurvives: true })
  const answered = stage.load.counts.answered
  await waitFor(() => stage.load.counts.answered > answered, { timeoutMs: PATIENCE_MS })
  account.tell(`the first client got its answer ${inSeconds(performance.now() - lostAt)} after the loss`)
  await untilAnswered(stage, ORDERS)
  await stage.stop()
  await judgeAll(drill)
  const halts = await stack.pool.query('select from relay_resolutions')
  account.claim(halts.rowCount === 0, 'no partition had to be resolved by an operator', halts.rowCount)
  const { records } = await events.look()
  const { kept, orphaned, forgotten, unexplained } = await sortAnswers(drill, stage.file, records)
  const others = [...orphaned, ...forgotten].length + unexplained.length
  account.claim(others === 0, `each of ${kept.length} answers is unchanged in the ledger: RPO 0`, unexplained)
}
