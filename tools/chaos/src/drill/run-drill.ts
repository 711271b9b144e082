import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Screen, takeRunLock } from '@streamledger/engines'
import { signUp } from '../load/sign-up.ts'
import { openStack, TOPIC } from '../stack/open-stack.ts'
import type { Role } from '../stack/replica.ts'
import { Account, inSeconds } from './account.ts'
import { ACTS } from './acts.ts'
import type { Drill } from './drill.ts'
import type { DrillArguments } from './drill-arguments.ts'
import { EventMemory } from './event-memory.ts'
import { PostgresBackup } from './postgres-backup.ts'
import { stageLoad } from './stage-load.ts'
import { untilAnswered } from './steps.ts'

const USERS = 24
/** In production this is a minute. A killed broker has loaded its receipts by then. */
const RECEIPT_PATIENCE_MS = '5000'
const REPLICAS = { api: 1, relay: 2 }

/** Runs the acts on their own system. Returns the number of claims, and those that failed. */
export async function runDrill(args: DrillArguments, screen: Screen, signal: AbortSignal): Promise<Account> {
  const lock = await takeRunLock({ dir: args.dir, name: 'drill', entry: 'tools/chaos/src/drill-main.ts' })
  const account = new Account(screen)
  try {
    const dir = join(args.dir, 'run')
    rmSync(dir, { recursive: true, force: true })
    const places = {
      data: join(dir, 'postgres', 'pgdata'),
      archive: join(dir, 'wal-archive'),
      base: join(dir, 'base-backup'),
    }
    const backup = new PostgresBackup(places)
    mkdirSync(places.archive, { recursive: true })
    const onSelfExit = (line: string, role?: Role) => {
      // An exporter may end when Postgres is lost. A port that another program has taken is not a fault of the product.
      if (role === 'exporter' || line.includes('EADDRINUSE')) account.tell(line)
      else account.claim(false, 'no process ends unexpectedly', line)
    }
    const logDir = join(dir, 'logs')
    await using stack = await openStack({
      ...{ dir, logDir, replicas: REPLICAS, lock, signal, onSelfExit },
      log: (line) => account.tell(line),
      postgresSettings: () => backup.settings(),
      settings: { relay: { RELAY_RECEIPT_PATIENCE_MS: RECEIPT_PATIENCE_MS } },
    })
    backup.openArchive()
    const events = new EventMemory({ brokers: stack.brokers, topic: TOPIC })
    const users = await signUp(stack.apiUrl(), USERS)
    const drill = { stack, backup, account, events, users, rate: args.rate, dir, signal }
    await makeHistory(drill, args.history)
    for (const act of args.acts) {
      signal.throwIfAborted()
      await ACTS[act](drill)
    }
  } finally {
    lock.release()
  }
  return account
}

/** Posts the history that the backup has, in addition to the orders of the acts. */
async function makeHistory(drill: Drill, orders: number): Promise<void> {
  const startedAt = performance.now()
  const stage = stageLoad({ ...drill, rate: 5_000 }, 'history')
  await untilAnswered(stage, orders)
  await stage.stop()
  drill.account.tell(`${orders} orders posted, in ${inSeconds(performance.now() - startedAt)}`)
}
