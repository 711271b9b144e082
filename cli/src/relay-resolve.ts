import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadStreamConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { parseCount } from './parse-count.ts'
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

After a halt the relay does not decide by itself which of the rows that wait are in the topic already. This shows what is
known: the halt, the open batch, Kafka's receipt, and which rows a read_committed consumer sees in the topic. With --as,
--reason and --yes it settles the partition, and the relay takes it up again by itself:
  published     all rows of the open batch are in the topic: they leave the outbox
  unpublished   none of the rows is: they are published
  partly        some are: those leave the outbox, the others are published
What the topic contradicts is refused; --force overrules that, and loses or doubles events where the topic is right.
Whoever wrote to the partition before is fenced first, and who resolved what, why and on which evidence is recorded in the
table relay_resolutions.

--all is for what has happened to the whole system, a restored database above all. Posting is paused, every partition is
stopped and settled by what the topic shows, and posting goes on. Events in the topic whose transactions Postgres no longer
has are shown first, and --lost says what becomes of them:
  put-back   the database was restored: their transactions are put back into the ledger, with ids, sequences and balances
             as consumers and clients know them. What does not fit any more, since something else was posted in its place,
             is recorded as lost, and new events get a new ce_source
  leave      somebody else wrote them, a copy of this system perhaps: they are recorded as lost
Where Postgres went back and the topic is lost as well, no event tells what consumers have had: --new-source says that new
events get a new ce_source all the same.
New ids begin after all that the topic has. It also accepts the Postgres cluster that a dump was loaded into.

Without --yes nothing is changed; exit code 2.

Options:
  --partition P     the halted partition
  --as OUTCOME      published, unpublished or partly
  --all             every partition, halted or not
  --lost WHAT       put-back or leave
  --new-source      new events get a new ce_source
  --reason TEXT     what happened; it is recorded
  --force           also against what the topic shows
  --yes             do it

Examples:
  streamledger relay resolve --partition 3                      what is known, and what it speaks for
  streamledger relay resolve --partition 3 --as unpublished --reason "receipt group was deleted" --yes
  streamledger relay resolve --all                              after a restore: what would be done?
  streamledger relay resolve --all --lost put-back --reason "restored to 06:00" --yes --progress`

/** The way out of a halt. */
export const relayResolve: Command = {
  name: 'relay resolve',
  summary: 'settles a halted partition, or a whole system after a restore',
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
    const resolve = options.all ? prepareAll(options) : prepareOne(options)
    const { databaseUrl, kafka } = loadStreamConfig(env)
    return withDatabase(databaseUrl, (pool) => withLaneSession(pool, { kafka, progress }, resolve), {
      writes: options.yes === true,
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

/** Reads the options first, so that wrong use is told before anything is opened. */
function prepareOne(options: OptionValues): (session: LaneSession) => Promise<CommandResult> {
  const asked = readOptions(options)
  return (session) => resolveOne(session, asked)
}

function prepareAll({ partition, as, lost, 'new-source': newSource, reason, force, yes }: OptionValues) {
  if (partition !== undefined || as !== undefined) {
    throw new CliError(
      'usage',
      '--all goes by what the topic shows, for every partition: it takes no --partition and no --as.',
    )
  }
  const whatToDo = LOST.find((one) => one === lost)
  if (lost !== undefined && !whatToDo)
    throw new CliError('usage', `--lost is "${lost}"; it wants ${LOST.join(' or ')}.`)
  if (!yes) return async (session: LaneSession) => renderAllPlanned(await lookAtAll(session))
  const all = {
    ...{ lost: whatToDo, newSource: newSource === true },
    ...{ reason: readReason(reason), by: whoAmI(), force: force === true },
  }
  return async (session: LaneSession) => {
    // What is to be decided is asked before anybody is stopped.
    if (!whatToDo) refuseUndecided(await lookAtAll(session))
    return renderAllResolved(await resolveAll(session, all))
  }
}

function refuseUndecided(found: readonly Evidence[]): void {
  const lost = found.reduce((sum, evidence) => sum + evidence.lost.length, 0)
  if (lost === 0) return
  const text = `${lost} events are of transactions that Postgres does not have, and --lost does not say what becomes of them: put-back, if the database was restored; leave, if somebody else wrote them. Nothing was changed.`
  throw new CliError('usage', text)
}

function readReason(reason: OptionValues[string]): string {
  const text = String(reason ?? '').trim()
  if (text) return text
  throw new CliError('usage', '--reason is missing: what happened? It is recorded.')
}

function readOptions({ partition, as, lost, 'new-source': newSource, reason, force, yes }: OptionValues): Asked {
  if (lost !== undefined || newSource)
    throw new CliError('usage', '--lost and --new-source go with --all: they concern more than one partition.')
  if (partition === undefined) {
    throw new CliError('usage', '--partition is missing: `streamledger outbox status` names the halted ones.')
  }
  const outcome = OUTCOMES.find((one) => one === as)
  if (as !== undefined && !outcome) throw new CliError('usage', `--as is "${as}"; it wants ${OUTCOMES.join(', ')}.`)
  if (yes && !outcome) throw new CliError('usage', `--as is missing: it wants ${OUTCOMES.join(', ')}.`)
  if (yes && !String(reason ?? '').trim())
    throw new CliError('usage', '--reason is missing: what happened? It is recorded.')
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
  if (lane.halted_at === null) {
    throw new CliError('unsuitable', `Partition ${partition} is not halted: there is nothing to resolve.`)
  }
  // Nobody may write between what is seen now and what is done about it.
  if (yes) await lanes.fence(partition)
  const evidence = await readEvidence(session, lane, await lanes.look(partition))
  const against = as ? findContradictions(evidence, as) : []
  if (!yes || !as) return renderResult(evidence, asked, { against, done: false })
  if (against.length > 0 && !force) {
    const text = `Partition ${partition} can't be resolved as ${as}: ${against.join('; ')}. Nothing was changed.`
    throw new CliError('unsuitable', text)
  }
  await resolveLane(pool, evidence, { outcome: as, reason: asked.reason as string, by: whoAmI(), overruled: against })
  return renderResult(evidence, asked, { against, done: true })
}

function renderResult(
  evidence: Evidence,
  { partition, as, reason }: Asked,
  { against, done }: { against: string[]; done: boolean },
): CommandResult {
  const fits = outcomeOf(evidence)
  const speaksAgainst = findContradictions(evidence, fits)
  const command = `streamledger relay resolve --partition ${partition} --as ${as ?? fits} --reason ${reason ? JSON.stringify(reason) : '"what happened"'} --yes`
  const advice = done
    ? [`Partition ${partition} is resolved as ${as}. The relay takes it up again by itself.`]
    : [
        ...against.map((one) => `against ${as}: ${one}`),
        ...(as ? [] : speaksAgainst.map((one) => `against ${fits}: ${one}`)),
        `What the topic shows speaks for: ${fits}.`,
        'Nothing was changed. When you know what happened, and whoever else writes to this topic is stopped:',
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
