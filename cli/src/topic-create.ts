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

Creates the topic with the settings that exactly-once delivery needs: partitions, copies, min.insync.replicas one less
than the copies, no unclean leader election, cleanup.policy=delete, unlimited retention, and room for the largest batch of
the relay. It creates a missing topic at once, without --yes. The relay creates it too; this command creates it before the
services start, and reports what it could not set.

It never changes an existing topic: it names each difference, with exit code 1, or says that all is well, with exit
code 0. It also checks the brokers' settings for Kafka's own topics, which hold receipts and transactions; a wrong setting
means exit code 1 as well.

Without options the values come from KAFKA_TOPIC, TOPIC_PARTITIONS, TOPIC_REPLICATION_FACTOR and RELAY_BATCH_BYTES_MAX, as
in the services. Without these: 12 partitions with 3 copies, or one copy per broker if there are fewer than 3 brokers.

Options:
  --partitions N           the highest number of relays that can share the work; can be raised later, never lowered
  --replication-factor N   copies of each partition; with fewer than 3 the loss of a broker may lose events

Examples:
  streamledger topic create                                          before the services start for the first time
  streamledger topic create --partitions 48                          for more relay replicas
  streamledger topic create --replication-factor 1                   on a single broker, for development
  streamledger topic create --json | jq '.differences, .internal'    what differs from the needed settings`

/** Creates the topic before the services start. */
export const topicCreate: Command = {
  name: 'topic create',
  summary: 'creates the topic, or shows how an existing topic differs',
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
    const text = `${wanted.replicationFactor} copies need as many brokers, and this Kafka has ${brokers}. Add brokers, or use --replication-factor ${brokers}; the loss of a broker may then lose events.`
    throw new CliError('unsuitable', text)
  }
  const created = before ? false : await admin.createTopic(wanted)
  const after = await admin.readTopic(wanted.topic)
  if (!after) throw new CliError('incomplete', `Topic ${wanted.topic} was created and cannot be read yet. Try again.`)
  return {
    created,
    differences: findDifferences(after, wanted),
    internal: findInternalFaults(settings, wanted.replicationFactor),
  }
}

function renderResult(wanted: WantedTopic, { created, differences, internal }: Outcome): CommandResult {
  const { topic, partitions, replicationFactor } = wanted
  const ok = differences.length === 0 && internal.length === 0
  const size = `${partitions} partitions with ${replicationFactor} ${replicationFactor === 1 ? 'copy' : 'copies'}`
  const settings = Object.fromEntries(settingsOf(wanted))
  const lines = [
    created ? `Topic ${topic} was created: ${size}.` : `Topic ${topic} exists already; nothing was changed.`,
    ...(differences.length > 0
      ? ['', renderTable(['setting', 'found', 'wanted'], differences.map((one) => [one.setting, one.found, one.wanted]))] // biome-ignore format: one line
      : []),
    ...internal,
    ...(replicationFactor < 3 ? ['With fewer than 3 copies the loss of a broker may lose events.'] : []),
    ok ? 'All is well.' : `Not all settings are as they must be. ${adviseOn(topic, differences, internal)}`,
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
  if (names.delete('partitions'))
    advice.push('Partitions: use `streamledger topic grow`, or --partitions with the number that exists.')
  if (names.delete('replication factor')) advice.push('Copies: use kafka-reassign-partitions.sh.')
  if (names.size > 0) advice.push(`Settings: use kafka-configs.sh --alter --topic ${topic} --add-config NAME=VALUE.`)
  if (internal.length > 0) advice.push("Kafka's own topics: set them in the brokers' server.properties before their first use; later use kafka-reassign-partitions.sh.") // biome-ignore format: one line
  return advice.join(' ')
}
