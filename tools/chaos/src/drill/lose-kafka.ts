import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { inSeconds } from './account.ts'
import type { Drill } from './drill.ts'
import { judgeAll, typeCommand } from './judge.ts'
import { sortAnswers } from './judge-answers.ts'
import { stageLoad } from './stage-load.ts'
import { replicasOf, startAll, stopAll, untilAnswered, untilConfirmed } from './steps.ts'

const ORDERS = 150

/** The broker and its disk are lost: an empty cluster starts at the same address. */
export async function replaceKafka({ stack, account, events, dir }: Drill): Promise<void> {
  await stack.kafka.kill()
  rmSync(join(dir, 'kafka'), { recursive: true, force: true })
  await stack.kafka.start()
  events.topicIsLost()
  account.tell('Kafka and its disk are lost; an empty cluster is up at the same address')
}

/** Kafka is lost with the topic and the receipts, while clients post to a healthy Postgres. */
export async function loseKafka(drill: Drill): Promise<void> {
  const { account, events } = drill
  account.begin('Kafka is lost, Postgres is not')
  const before = stageLoad(drill, 'kafka-before')
  await untilAnswered(before, ORDERS)
  await before.stop()
  // With no open batch, nothing but the cluster's id and the topic's end shows that the topic is another one.
  await untilConfirmed(drill)
  await events.look()
  const relays = replicasOf(drill, 'relay')
  await stopAll(relays)
  const lostAt = performance.now()
  await replaceKafka(drill)
  const stage = stageLoad(drill, 'kafka')
  await typeCommand(drill, ['topic', 'create'])
  const answered = stage.load.counts.answered
  await untilAnswered(stage, ORDERS)
  account.tell(`${stage.load.counts.answered - answered} orders answered meanwhile: the ledger does not need Kafka`)
  const missing = await resolveLost(drill, 'Kafka was lost')
  await startAll(drill, relays) // not before: they refuse another cluster, and end
  account.tell(`events flow again ${inSeconds(performance.now() - lostAt)} after the loss`)
  await untilAnswered(stage, ORDERS)
  await stage.stop()
  await judgeAll(drill, { missing })
  for (const { file } of [before, stage]) {
    const { kept, unexplained, forgotten } = await sortAnswers(drill, file, [])
    const others = unexplained.length + forgotten.length
    account.claim(others === 0, `no client notices: each of ${kept.length} answers is in the ledger`, unexplained)
  }
}

/**
 * Resolves all partitions. Returns the number of transactions that were no longer in the outbox: their events are lost.
 */
export async function resolveLost(drill: Drill, reason: string, more: readonly string[] = []): Promise<number> {
  const { stack, account } = drill
  await typeCommand(drill, ['relay', 'resolve', '--all'])
  const { rows } = await stack.pool.query<{ waiting: number; transactions: number }>(
    `select (select count(*)::int from outbox) as waiting, (select count(*)::int from transactions) as transactions`,
  )
  const resolve = ['relay', 'resolve', '--all', ...more, '--reason', reason, '--yes']
  account.claim((await typeCommand(drill, resolve)) === 0, 'relay resolve ends with exit code 0')
  return (rows[0]?.transactions ?? 0) - (rows[0]?.waiting ?? 0)
}
