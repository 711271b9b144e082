import { waitFor } from '@streamledger/testkit/wait-for'
import { inSeconds } from './account.ts'
import { type Drill, PATIENCE_MS } from './drill.ts'
import type { RecoveryTarget } from './postgres-backup.ts'

export interface Disaster {
  readonly target: RecoveryTarget
  /** pg_wal could be saved from the lost disk. */
  readonly walSurvives: boolean
  /** Other losses at that moment. */
  readonly alongside?: () => Promise<void>
}

/** Kills Postgres, loses its disk, and restores it from base backup and WAL. Returns how long there was none. */
export async function restorePostgres({ stack, backup, account }: Drill, disaster: Disaster): Promise<number> {
  const { target, walSurvives, alongside } = disaster
  const lostAt = performance.now()
  await stack.postgres.kill()
  backup.loseData({ walSurvives })
  account.tell(`Postgres is killed, and its disk is lost${walSurvives ? ', except pg_wal' : ''}`)
  await alongside?.()
  await backup.lay(target)
  const laidAt = performance.now()
  const [name, value] = Object.entries(target)[0] ?? ['as far as there is WAL']
  account.tell(`base backup copied; recovering: ${name}${value ? ` = ${value}` : ''}`)
  await stack.postgres.start()
  const { rows } = await waitFor(() => untilPromoted(stack.pool), { timeoutMs: PATIENCE_MS })
  const downMs = performance.now() - lostAt
  account.tell(
    `Postgres accepts writes again, on timeline ${rows[0]?.timeline}: ${inSeconds(downMs)} after it was lost, of which ${inSeconds(laidAt - lostAt)} to copy and the rest to recover`,
  )
  return downMs
}

async function untilPromoted(pool: Drill['stack']['pool']) {
  const found = await pool.query<{ timeline: number }>(
    'select current_timeline() as timeline where not pg_is_in_recovery()',
  )
  if (found.rows.length === 0) throw new Error('Postgres is still recovering')
  return found
}
