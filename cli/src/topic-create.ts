import { settingsOf, type WantedTopic } from '@streamledger/kafka'
import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadTopicConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { parseCount } from './parse-count.ts'
import { renderTable } from './render-table.ts'
import { type Difference, findDifferences, findInternalFaults } from './topic/find-differences.ts'
import { type KafkaAdmin, withKafkaAdmin } from './topic/kafka-admin.ts'

const HELP = `
Usage: streamledger topic create [--partitions N] [--replication-factor N] [--json]

Makes the topic as the promise needs it: so many partitions and copies, min.insync.replicas one less than the copies, no
unclean leader election, cleanup.policy=delete, unlimited retention, and room for the largest batch of the relay. The relay
makes the topic too when there is none; this makes it before, with copies, and says what it could not set.

Where the topic is there already, nothing is changed: it is well, or each difference is named, with exit code 1.
Of the topics that Kafka makes for itself, for receipts and transactions, it tells what the brokers' configuration lacks:
that is exit code 1 as well. What is not asked for is taken from KAFKA_TOPIC, TOPIC_PARTITIONS, TOPIC_REPLICATION_FACTOR
and RELAY_BATCH_BYTES_MAX, as the services have them; without them it is 12 partitions of 3 copies.

Options:
  --partitions N           the most relay replicas that can share the work; can be raised later, never lowered
  --replication-factor N   copies of each partition; with fewer than 3 the loss of a broker may lose events

Examples:
  streamledger topic create                                          before the services start for the first time
  streamledger topic create --partitions 48                          for more relay replicas
  streamledger topic create --replication-factor 1                   on a single broker, for development
  streamledger topic create --json | jq '.differences, .internal'    what is not as it must be`

/** The topic, before there are services. */
export const topicCreate: Command = {
  name: 'topic create',
  summary: 'makes the topic as the promise needs it, or says how an existing one differs',
  help: HELP,
  options: { partitions: { type: 'string' }, 'replication-factor': { type: 'string' } },
  async run({ options, env }) {
    const { kafka, ...configured } = loadTopicConfig(env)
    const asked = { ...configured, ...readOptions(options) }
    return withKafkaAdmin(kafka, async (admin) => {
      const wanted = { ...asked, replicationFactor: await admin.chooseReplicationFactor(asked.replicationFactor) }
      return renderResult(wanted, await createOrCompare(admin, wanted))
    })
  },
}

function readOptions({ partitions, 'replication-factor': copies }: OptionValues): Partial<WantedTopic> {
  return {
    ...(partitions !== undefined && {
      partitions: parseCount('partitions', String(partitions), { min: 1, max: 1_000 }),
    }),
    ...(copies !== undefined && {
      replicationFactor: parseCount('replication-factor', String(copies), { min: 1, max: 10 }),
    }),
  }
}

interface Outcome {
  created: boolean
  differences: Difference[]
  internal: string[]
}

async function createOrCompare(admin: KafkaAdmin, wanted: WantedTopic): Promise<Outcome> {
  const { brokers, settings } = await admin.readBrokers()
  const before = await admin.readTopic(wanted.topic)
  if (!before && brokers < wanted.replicationFactor) {
    const text = `${wanted.replicationFactor} copies need as many brokers, and this Kafka has ${brokers}. Add brokers, or take --replication-factor ${brokers}: then the loss of a broker may lose events.`
    throw new CliError('unsuitable', text)
  }
  const created = before ? false : await admin.createTopic(wanted)
  const after = await admin.readTopic(wanted.topic)
  if (!after) throw new CliError('incomplete', `Topic ${wanted.topic} was made and is not there yet. Try again.`)
  return {
    created,
    differences: findDifferences(after, wanted),
    internal: findInternalFaults(settings, wanted.replicationFactor),
  }
}

function renderResult(wanted: WantedTopic, { created, differences, internal }: Outcome): CommandResult {
  const { topic, partitions, replicationFactor } = wanted
  const ok = differences.length === 0 && internal.length === 0
  const size = `${partitions} partitions of ${replicationFactor} ${replicationFactor === 1 ? 'copy' : 'copies'}`
  const settings = Object.fromEntries(settingsOf(wanted))
  const lines = [
    created ? `Topic ${topic} was made: ${size}.` : `Topic ${topic} is there already; nothing was changed.`,
    ...(differences.length > 0
      ? ['', renderTable(['setting', 'found', 'wanted'], differences.map((one) => [one.setting, one.found, one.wanted]))] // biome-ignore format: one line
      : []),
    ...internal,
    ...(replicationFactor < 3 ? ['With fewer than 3 copies the loss of a broker may lose events.'] : []),
    ok ? 'All is well.' : `Not as the promise needs it. ${adviseOn(topic, differences, internal)}`,
  ]
  return {
    exitCode: ok ? EXIT.well : EXIT.faults,
    json: { command: 'topic create', ok, topic, created, partitions, replication_factor: replicationFactor, settings, differences, internal }, // biome-ignore format: one line
    text: lines.join('\n'),
  }
}

function adviseOn(topic: string, differences: Difference[], internal: string[]): string {
  const advice = []
  const names = new Set(differences.map(({ setting }) => setting))
  if (names.delete('partitions')) advice.push('Partitions: `streamledger topic grow`, or ask for as many as there are.')
  if (names.delete('replication factor')) advice.push('Copies: kafka-reassign-partitions.sh.')
  if (names.size > 0) advice.push(`Settings: kafka-configs.sh --alter --topic ${topic} --add-config NAME=VALUE.`)
  if (internal.length > 0) advice.push("Kafka's own topics: the brokers' server.properties, before they are first used; later kafka-reassign-partitions.sh.") // biome-ignore format: one line
  return advice.join(' ')
}
