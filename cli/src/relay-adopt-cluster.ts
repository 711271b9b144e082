import { describeDifference, findDifference, type KafkaIdentity, pinnedOf } from '@streamledger/kafka'
import type { Pool } from 'pg'
import { findObjections, type PartitionEvidence } from './adopt/judge-partition.ts'
import { readPartition } from './adopt/read-partition.ts'
import type { Command, CommandResult } from './command.ts'
import { loadStreamConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { readReason } from './read-reason.ts'
import { renderTable } from './render-table.ts'
import { type LaneSession, whoAmI, withLaneSession } from './resolve/lane-session.ts'
import { readLanes } from './resolve/read-lane.ts'
import { withDatabase } from './with-database.ts'

const HELP = `
Usage: streamledger relay adopt-cluster [--reason TEXT --yes] [--json]

Postgres records which Kafka cluster has its events, and the id of the topic there. A relay that meets another cluster
refuses it: its brokers' addresses are wrong, or Kafka was moved. This command is for a Kafka that was moved together with
its topic, its offsets and its consumer groups, or that got another cluster id. It shows for each partition up to where
events were confirmed, where the partition ends, its receipt, and whether Postgres has the transaction of its last event.
With --yes it records the cluster at KAFKA_BROKERS, and relays publish there from then on. The table cluster_adoptions records
the user, the reason and what was shown.

It refuses a cluster in which the relay could not go on, for example a mirror, which has other offsets and no receipts, or
a new cluster. \`streamledger relay resolve --all\` is for these: it compares all events, and records the cluster, too.

Stop the relays first, or give them the new KAFKA_BROKERS and let them refuse: a relay that still runs with the old
addresses ends when the new cluster is recorded. Without --yes nothing is changed: exit code 2, since relays still refuse
the cluster. If it is the recorded one, there is nothing to do: exit code 0.

Options:
  --reason TEXT    what happened; it is recorded
  --yes            record this cluster

Examples:
  streamledger relay adopt-cluster                                   is everything there?
  streamledger relay adopt-cluster --reason "moved to kafka-2" --yes go on with this cluster`

/** Records another Kafka cluster as the one that has the events. */
export const relayAdoptCluster: Command = {
  name: 'relay adopt-cluster',
  summary: 'goes on with another Kafka cluster, to which the topic was moved',
  help: HELP,
  options: { reason: { type: 'string' }, yes: { type: 'boolean' } },
  async run({ options, env, progress }) {
    const yes = options.yes === true
    const reason = yes ? readReason(options.reason) : undefined
    const { databaseUrl, kafka } = loadStreamConfig(env)
    return withDatabase(
      databaseUrl,
      (pool) => withLaneSession(pool, { kafka, progress }, (session) => adopt(session, reason)),
      { writes: yes },
    )
  },
}

/** With a reason it records the cluster; without one it shows what would be recorded. */
async function adopt(session: LaneSession, reason: string | undefined): Promise<CommandResult> {
  const { pool, topic, identity } = session
  const pinned = pinnedOf(topic)
  if (!pinned || !findDifference(pinned, identity)) return renderNothing(identity, pinned)
  const found: PartitionEvidence[] = []
  for (const lane of await readLanes(pool)) found.push(await readPartition(session, lane))
  const objections = found.flatMap((evidence) =>
    findObjections(evidence).map((one) => `partition ${evidence.lane.partition}: ${one}`),
  )
  const adoption = { pinned, identity, found, objections }
  if (reason === undefined) return renderResult(adoption, false)
  if (objections.length > 0) {
    throw new CliError('unsuitable', `${objections.join('; ')}. Nothing was changed. If this is the right Kafka, use \`streamledger relay resolve --all\`: it compares all events, and records the cluster, too.`) // biome-ignore format: one line
  }
  await recordCluster(pool, adoption, reason)
  return renderResult(adoption, true)
}

/** Also takes the leases from relays at the old cluster: they look where the events are before they take one again. */
async function recordCluster(
  pool: Pool,
  { pinned: from, identity: to, found }: Adoption,
  reason: string,
): Promise<void> {
  const { rowCount } = await pool.query(
    `with adopted as (
       update topic set kafka_cluster_id = $1, kafka_topic_id = $2
        where kafka_cluster_id = $3 and kafka_topic_id = $4 returning name
     ), stopped as (
       update relay_partitions set lease_owner = null, lease_token = null, lease_expires_at = null from adopted
     )
     insert into cluster_adoptions
       (from_cluster_id, from_topic_id, to_cluster_id, to_topic_id, reason, adopted_by, evidence)
     select $3, $4, $1, $2, $5, $6, $7::json from adopted`,
    [
      ...[to.clusterId, to.topicId, from.clusterId, from.topicId],
      ...[reason, whoAmI(), JSON.stringify(describePartitions(found))],
    ],
  )
  if (rowCount === 1) return
  throw new CliError('incomplete', 'Another command has recorded a cluster in the meantime. Nothing was changed.')
}

function renderNothing(identity: KafkaIdentity, pinned: KafkaIdentity | undefined): CommandResult {
  return {
    exitCode: EXIT.well,
    json: { command: 'relay adopt-cluster', ok: true, adopted: false, recorded: pinned ?? null, found: identity },
    text: pinned
      ? `Cluster ${identity.clusterId} is the one that has the events, and its topic is the same. Nothing to do.`
      : 'No cluster is recorded yet: the relay records the one in which it finds its receipts. Nothing to do.',
  }
}

interface Adoption {
  pinned: KafkaIdentity
  identity: KafkaIdentity
  found: readonly PartitionEvidence[]
  objections: readonly string[]
}

function renderResult({ pinned, identity, found, objections }: Adoption, adopted: boolean): CommandResult {
  const advice = adopted
    ? 'It is recorded. Relays that run with its addresses publish there; all others end.'
    : objections.length > 0
      ? `Nothing was changed, and --yes would refuse. ${objections.join('; ')}. If this is the right Kafka, use \`streamledger relay resolve --all\`: it compares all events, and records the cluster, too.`
      : 'Nothing was changed. If no relay publishes to the old cluster any more, add --reason and --yes.'
  const partitions = describePartitions(found)
  const head = ['partition', 'confirmed up to', 'ends at', 'batch in Postgres', 'receipt', 'last event']
  const rows = partitions.map(({ partition, confirmed, end, batch_seq, batch_id, receipt, last_event }) => [
    ...[String(partition), confirmed === null ? '–' : String(confirmed), String(end)],
    ...[`${batch_seq}${batch_id === null ? '' : ', open'}`, describeReceipt(receipt), last_event],
  ])
  return {
    exitCode: adopted ? EXIT.well : EXIT.failed,
    json: { command: 'relay adopt-cluster', ok: adopted, adopted, recorded: pinned, found: identity, objections, partitions }, // biome-ignore format: one line
    text: [describeDifference(pinned, identity), '', renderTable(head, rows), '', advice].join('\n'),
  }
}

/** As it is shown, and stored. */
function describePartitions(found: readonly PartitionEvidence[]) {
  return found.map(({ lane, sight, lastEvent }) => ({
    ...{ partition: lane.partition, batch_seq: lane.batch_seq, batch_id: lane.batch_id },
    ...{ confirmed: lane.next_offset, stable: sight.stable, end: sight.end },
    ...{ receipt: sight.receipt ?? null, last_event: lastEvent },
  }))
}

function describeReceipt(receipt: PartitionEvidence['sight']['receipt'] | null): string {
  if (receipt === null || receipt === undefined) return 'none'
  return typeof receipt === 'string' ? 'not of a relay' : `batch ${receipt.seq} up to ${receipt.offset}`
}
