import { PARTITIONS, TOPIC } from '../stack/open-stack.ts'
import { comeToRest } from '../verdict/come-to-rest.ts'
import { runCli, spawnCli } from '../verdict/run-cli.ts'
import type { Drill } from './drill.ts'

/** The environment of the CLI. */
export const cliEnv = ({ stack: { databaseUrl, brokers } }: Drill) => ({
  ...{ databaseUrl, brokers },
  more: { KAFKA_TOPIC: TOPIC, TOPIC_PARTITIONS: PARTITIONS, TOPIC_REPLICATION_FACTOR: '1' },
})

/** Runs a command like an operator, and shows its output. Returns its exit code. */
export async function typeCommand(drill: Drill, args: readonly string[]): Promise<number | null> {
  drill.account.tell(
    `$ streamledger ${args.map((word) => (/[^\w.:-]/.test(word) ? JSON.stringify(word) : word)).join(' ')}`,
  )
  const { code, text } = await spawnCli(args, cliEnv(drill))
  drill.account.quote(text)
  return code
}

export interface Expected {
  /** Number of transactions whose events were lost with the topic. */
  readonly missing?: number
}

/** Checks all claims that must hold after recovery. */
export async function judgeAll(drill: Drill, { missing = 0 }: Expected = {}): Promise<void> {
  const { stack, account, events } = drill
  await comeToRest(stack.pool)
  const { rows } = await stack.pool.query<{ halted: number; waiting: number; unfinished: number; paused: boolean }>(
    `select (select count(*)::int from relay_partitions where halted_at is not null) as halted,
            (select count(*)::int from outbox) as waiting,
            (select count(*)::int from exports where status in ('queued', 'running', 'failed')) as unfinished,
            (select paused from topic) as paused`,
  )
  const rest = { halted: 0, waiting: 0, unfinished: 0, paused: false }
  account.claim(
    JSON.stringify(rows[0]) === JSON.stringify(rest),
    'no partition is halted, and no row or export waits',
    rows[0],
  )
  const verified = await runCli(['verify'], cliEnv(drill))
  account.claim(verified.ok, 'verify: all balances are correct', verified.faults)
  const reconciled = await runCli(['reconcile'], cliEnv(drill))
  const faults = { ...reconciled.faults }
  const { missing: found = 0, ...others } = faults
  const expected = missing === 0 ? 'nothing' : `${missing} events, which went with the topic`
  account.claim(
    found === missing,
    `reconcile misses ${expected} of ${verified.checked?.transactions} transactions`,
    found,
  )
  account.claim(
    Object.values(others).every((count) => count === 0),
    'reconcile: no event is duplicated, foreign, mismatched or out of order',
    others,
  )
  const { lookalikes } = await events.look()
  account.claim(lookalikes.length === 0, 'no new event has the identity of an old one', lookalikes)
}
