import type { Drill } from './drill.ts'
import { judgeAll, typeCommand } from './judge.ts'
import { replaceKafka, resolveLost } from './lose-kafka.ts'
import { restorePostgres } from './restore-postgres.ts'
import { stageLoad } from './stage-load.ts'
import {
  archiveNow,
  readMark,
  replicasOf,
  startAll,
  stopAll,
  takeBase,
  untilAnswered,
  untilPublished,
} from './steps.ts'

const ORDERS = 150

/** Both are lost: Postgres is restored to the end of its archive, and Kafka starts empty. */
export async function loseBoth(drill: Drill): Promise<void> {
  const { account, events } = drill
  account.begin('Both are lost: Postgres is restored to the end of its archive, Kafka starts empty')
  const stage = stageLoad(drill, 'both')
  await untilAnswered(stage, ORDERS)
  await takeBase(drill)
  await archiveNow(drill)
  await untilAnswered(stage, ORDERS)
  await stage.stop()
  await untilPublished(drill)
  await events.look()
  const before = await readMark(drill)
  const relays = replicasOf(drill, 'relay')
  await stopAll(relays)
  await restorePostgres(drill, { target: {}, walSurvives: false, alongside: () => replaceKafka(drill) })
  const after = await readMark(drill)
  const lost = before.transactions - after.transactions
  account.tell(`the last ${lost} transactions are lost: neither the archive nor a topic has them`)
  await typeCommand(drill, ['topic', 'create'])
  const missing = await resolveLost(drill, 'Postgres and Kafka were lost', ['--new-source'])
  await startAll(drill, relays)
  const again = stageLoad(drill, 'both-after')
  await untilAnswered(again, ORDERS)
  await again.stop()
  await judgeAll(drill, { missing })
}
