import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadStreamConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { parseCount } from './parse-count.ts'
import { quoteForShell } from './quote-for-shell.ts'
import { readReason } from './read-reason.ts'
import { describeOther } from './read-topic-row.ts'
import { findContradictions, OUTCOMES, type Outcome, outcomeOf } from './resolve/judge-evidence.ts'
import { type LaneSession, whoAmI, withLaneSession } from './resolve/lane-session.ts'
import { type Evidence, readEvidence } from './resolve/read-evidence.ts'
import { readLane } from './resolve/read-lane.ts'
import { renderAllPlanned, renderAllResolved } from './resolve/render-all.ts'
import { renderEvidence } from './resolve/render-evidence.ts'
import { LOST, lookAtAll, resolveAll } from './resolve/resolve-all.ts'
import { describeEvidence, resolveLane } from './resolve/resolve-lane.ts'
import { withDatabase } from './with-database.ts'

const HELP = `
Usage: streamledger relay resolve --partition P [--as OUTCOME --reason TEXT --yes] [--force] [--json] [--progress]
       streamledger relay resolve --all [--lost put-back|leave] [--new-source] [--reason TEXT --yes] [--json] [--progress]

When a partition is halted, the relay could not decide which of the waiting rows are in the topic already. This command
shows what is known: the halt, the open batch, the receipt in Kafka, and which rows a read_committed consumer sees in the
topic. With --as, --reason and --yes it resolves the partition, and the relay continues with it by itself:
  published     all rows of the open batch are in the topic: they are removed from the outbox
  unpublished   none of the rows is in the topic: they are published
  partly        some rows are in the topic: these are removed from the outbox, the others are published
An outcome that contradicts the topic is refused. --force overrules that; if the topic is right, events are then lost or
published twice. Before it resolves, the command fences every earlier writer of the partition. The table relay_resolutions
records the outcome, the user, the reason and the evidence.

--all is for events that concern the whole system, above all a restored database. It pauses posting, stops every partition,
resolves each by what the topic shows, and continues posting. First it shows the events in the topic whose transactions
Postgres no longer has. --lost says what to do with them:
  put-back   the database was restored: put their transactions back into the ledger, with the ids, sequences and balances
             that consumers and clients know. A transaction that no longer fits, because something else was posted in its
             place, is recorded as lost, and new events get a new ce_source
  leave      another system wrote them, for example a copy of this one: record them as lost
If Postgres was restored and the topic is lost too, no event shows what consumers have read: with --new-source, new events
get a new ce_source in any case.
New ids begin after every id in the topic. --all also accepts the Postgres cluster that a dump was loaded into, and the Kafka
cluster and topic that it finds: for a topic that was deleted and created again, and a Kafka that was lost or mirrored.

If the partition is not halted, there is nothing to resolve: exit code 0. Without --yes nothing is changed: exit code 2,
since the partition stays halted, and --all has not been done.

Options:
  --partition P     the halted partition
  --as OUTCOME      published, unpublished or partly
  --all             every partition, halted or not
  --lost WHAT       put-back or leave
  --new-source      give new events a new ce_source
  --reason TEXT     what happened; it is recorded
  --force           resolve even if the topic contradicts the outcome
  --yes             do it

Examples:
  streamledger relay resolve --partition 3                      show what is known, and which outcome fits
  streamledger relay resolve --partition 3 --as unpublished --reason "receipt group was deleted" --yes
  streamledger relay resolve --all                              after a restore: show what would be done
  streamledger relay resolve --all --lost put-back --reason "restored to 06:00" --yes --progress`

/** Resolves a halted partition, or all of them. */
export const relayResolve: Command = {
  name: 'relay resolve',
  summary: 'resolves a halted partition, or the whole system after a restore',
  help: HELP,
  options: {
    partition: { type: 'string' },
    all: { type: 'boolean' },
    lost: { type: 'string' },
    'new-source': { type: 'boolean' },
    as: { type: 'string' },
    reason: { type: 'string' },
    force: { type: 'boolean' },
    yes: { type: 'boolean' },
  },
  async run({ options, env, progress }) {
    let mayBePaused = false
    const onPause = () => {
      mayBePaused = true
    }
    const resolve = options.all ? prepareAll(options, onPause) : prepareOne(options)
    const { databaseUrl, kafka } = loadStreamConfig(env)
    return withDatabase(databaseUrl, (pool) => withLaneSession(pool, { kafka, progress }, resolve), {
      writes: options.yes === true,
    }).catch((error) => {
      throw mayBePaused ? sayPaused(error) : error
    })
  },
}

interface Asked {
  partition: number
  as: Outcome | undefined
  reason: string | undefined
  force: boolean
  yes: boolean
}

/** Reads the options first, so that wrong use is reported before anything is opened. */
function prepareOne(options: OptionValues): (session: LaneSession) => Promise<CommandResult> {
  const asked = readOptions(options)
  return (session) => resolveOne(session, asked)
}

/** Who sees that Kafka or Postgres failed must know what was left behind. */
function sayPaused(error: unknown): unknown {
  if (!(error instanceof CliError) || error.message.includes(PAUSED)) return error
  const text = `${error.message} ${PAUSED} and the partitions stay halted, unless \`streamledger outbox status\` says otherwise: run the same command again to finish.`
  return new CliError(error.code, text, { cause: error })
}

const PAUSED = 'Posting stays paused'

function prepareAll(
  { partition, as, lost, 'new-source': newSource, reason, force, yes }: OptionValues,
  onPause: () => void,
) {
  if (partition !== undefined || as !== undefined) {
    throw new CliError(
      'usage',
      '--all resolves every partition by what the topic shows: it takes no --partition and no --as.',
    )
  }
  const whatToDo = LOST.find((one) => one === lost)
  if (lost !== undefined && !whatToDo)
    throw new CliError('usage', `--lost is "${lost}"; it must be ${LOST.join(' or ')}.`)
  if (!yes)
    return async (session: LaneSession) =>
      renderAllPlanned(await lookAtAll(session), describeOther(session.topic, session.identity))
  const all = {
    ...{ lost: whatToDo, newSource: newSource === true },
    ...{ reason: readReason(reason), by: whoAmI(), force: force === true, onPause },
  }
  return async (session: LaneSession) => {
    // A missing decision is reported before posting is paused and partitions are stopped.
    if (!whatToDo) refuseUndecided(await lookAtAll(session))
    return renderAllResolved(await resolveAll(session, all))
  }
}

function refuseUndecided(found: readonly Evidence[]): void {
  const lost = found.reduce((sum, evidence) => sum + evidence.lost.length, 0)
  if (lost === 0) return
  const text = `${lost} events belong to transactions that Postgres does not have. Add --lost put-back if the database was restored, or --lost leave if another system wrote them. Nothing was changed.`
  throw new CliError('usage', text)
}

function readOptions({ partition, as, lost, 'new-source': newSource, reason, force, yes }: OptionValues): Asked {
  if (lost !== undefined || newSource)
    throw new CliError('usage', '--lost and --new-source need --all: they concern more than one partition.')
  if (partition === undefined) {
    throw new CliError('usage', '--partition is missing: `streamledger outbox status` shows the halted partitions.')
  }
  const outcome = OUTCOMES.find((one) => one === as)
  if (as !== undefined && !outcome) throw new CliError('usage', `--as is "${as}"; it must be one of: ${OUTCOMES.join(', ')}.`) // biome-ignore format: one line
  if (yes && !outcome) throw new CliError('usage', `--as is missing: it must be one of: ${OUTCOMES.join(', ')}.`)
  return {
    partition: parseCount('partition', String(partition), { min: 0, max: 999 }),
    as: outcome,
    reason: yes || reason !== undefined ? readReason(reason) : undefined,
    force: force === true,
    yes: yes === true,
  }
}

async function resolveOne(session: LaneSession, asked: Asked): Promise<CommandResult> {
  const { pool, lanes } = session
  const { partition, as, yes, force } = asked
  const lane = await readLane(pool, partition)
  if (lane.halted_at === null) return renderNotHalted(partition)
  const other = describeOther(session.topic, session.identity)
  if (other) {
    const text = `Partition ${partition} cannot be resolved by itself: ${other}. \`streamledger relay resolve --all\` resolves all partitions, and records this Kafka. Nothing was changed.`
    throw new CliError('unsuitable', text)
  }
  // From here on no earlier writer can change what is seen.
  if (yes) await lanes.fence(partition)
  const evidence = await readEvidence(session, lane, await lanes.look(partition))
  const against = as ? findContradictions(evidence, as) : []
  if (!yes || !as) return renderResult(evidence, asked, { against, done: false })
  if (against.length > 0 && !force) {
    const text = `Partition ${partition} cannot be resolved as ${as}: ${against.join('; ')}. Nothing was changed.`
    throw new CliError('unsuitable', text)
  }
  await resolveLane(pool, evidence, { outcome: as, reason: asked.reason as string, by: whoAmI(), overruled: against })
  return renderResult(evidence, asked, { against, done: true })
}

/** A script that resolves partitions may run twice: the second run finds nothing to do, and that is no failure. */
function renderNotHalted(partition: number): CommandResult {
  return {
    exitCode: EXIT.well,
    json: { command: 'relay resolve', ok: true, partition, halted: false },
    text: `Partition ${partition} is not halted: nothing to resolve.`,
  }
}

function renderResult(
  evidence: Evidence,
  { partition, as, reason }: Asked,
  { against, done }: { against: string[]; done: boolean },
): CommandResult {
  const fits = outcomeOf(evidence)
  const speaksAgainst = findContradictions(evidence, fits)
  const command = `streamledger relay resolve --partition ${partition} --as ${as ?? fits} --reason=${quoteForShell(reason ?? 'what happened')} --yes`
  const advice = done
    ? [`Partition ${partition} is resolved as ${as}. The relay continues with it by itself.`]
    : [
        ...against.map((one) => `against ${as}: ${one}`),
        ...(as ? [] : speaksAgainst.map((one) => `against ${fits}: ${one}`)),
        `The topic fits the outcome: ${fits}.`,
        'Nothing was changed. When you know what happened, and no other system writes to this topic, run:',
        `  ${command}`,
      ]
  return {
    exitCode: done ? EXIT.well : EXIT.failed,
    json: {
      ...{
        command: 'relay resolve',
        ok: done,
        partition,
        as: as ?? null,
        fits,
        contradictions: as ? against : speaksAgainst,
      },
      evidence: describeEvidence(evidence, { overruled: done ? against : [] }),
    },
    text: [...renderEvidence(evidence), '', ...advice].join('\n'),
  }
}
