import type { Topic } from '@streamledger/db'
import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadStreamConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { parseCount } from './parse-count.ts'
import { readTopicRow } from './read-topic-row.ts'
import { findObstacle, growTopic, growthReason } from './topic/grow-topic.ts'
import { withKafkaAdmin } from './topic/kafka-admin.ts'
import { unpausePosting } from './topic/pause-posting.ts'
import { withDatabase } from './with-database.ts'

const MAX_PAUSE_S = 60

const HELP = `
Usage: streamledger topic grow --partitions N [--max-pause SECONDS] [--yes] [--json] [--progress]
       streamledger topic grow --partitions N --abort

Gives the topic more partitions, so that more relays can share the work. Users move to other partitions, and their events
stay in order, by these steps:
  1. the partitions are added in Kafka
  2. posting is paused: the API answers 503 \`paused\` with Retry-After, and clients repeat with the same trans_id
  3. the rows in the outbox are published
  4. posting continues, to the new number of partitions; relays take the new partitions by themselves
The pause lasts about as long as the backlog takes.

Without --yes it only shows what it would do, and exits 0. If the outbox is not empty within --max-pause, or after
Ctrl-C, posting continues to the same partitions as before. A run that was killed leaves posting paused, which
\`streamledger outbox status\` shows: run the same command again to finish, or use --abort to continue posting without it.

Options:
  --partitions N         the new number of partitions; a topic never shrinks
  --max-pause SECONDS    the longest pause of posting; default ${MAX_PAUSE_S}
  --yes                  do it
  --abort                give up a growth to N that was killed

Examples:
  streamledger topic grow --partitions 24                      show what would happen
  streamledger topic grow --partitions 24 --yes --progress     do it
  streamledger topic grow --partitions 24 --max-pause 10 --yes
  streamledger topic grow --partitions 24 --abort              after a kill: continue posting`

/** Adds partitions; the order of each user's events is kept. */
export const topicGrow: Command = {
  name: 'topic grow',
  summary: 'adds partitions to the topic; events stay in order',
  help: HELP,
  options: {
    partitions: { type: 'string' },
    'max-pause': { type: 'string' },
    yes: { type: 'boolean' },
    abort: { type: 'boolean' },
  },
  async run({ options, env, progress, catchStop }) {
    const { partitions, pauseMsMax, yes, abort } = readOptions(options)
    const { databaseUrl, kafka } = loadStreamConfig(env)
    return withDatabase(
      databaseUrl,
      async (pool) => {
        if (abort) return abortGrowth(await readTopicRow(pool), () => unpausePosting(pool, growthReason(partitions)))
        return withKafkaAdmin(kafka, async (admin) => {
          const topic = await readTopicRow(pool)
          if (topic.partitions === partitions && !topic.paused) return renderResult(topic, partitions, 'there')
          const growth = { pool, admin, topic, partitions }
          const obstacle = await findObstacle(growth)
          if (obstacle) throw new CliError('unsuitable', `Topic ${topic.name} cannot grow: ${obstacle}.`)
          if (!yes) return renderResult(topic, partitions, 'planned')
          await growTopic(growth, { pauseMsMax, progress, signal: catchStop() })
          return renderResult(topic, partitions, 'grown')
        })
      },
      { writes: yes || abort },
    )
  },
}

function readOptions({ partitions, 'max-pause': pause, yes, abort }: OptionValues) {
  if (partitions === undefined) throw new CliError('usage', '--partitions is missing: the new number of partitions.')
  const seconds = pause === undefined ? MAX_PAUSE_S : parseCount('max-pause', String(pause), { min: 1, max: 3_600 })
  return {
    partitions: parseCount('partitions', String(partitions), { min: 1, max: 1_000 }),
    pauseMsMax: seconds * 1_000,
    yes: yes === true,
    abort: abort === true,
  }
}

async function abortGrowth(topic: Topic, unpause: () => Promise<void>): Promise<CommandResult> {
  if (topic.paused) await unpause()
  const { partitions } = topic
  return {
    exitCode: EXIT.well,
    json: { command: 'topic grow', ok: true, topic: topic.name, partitions, aborted: topic.paused },
    text: topic.paused
      ? `Posting continues, to ${partitions} partitions as before.`
      : `Posting was not paused; topic ${topic.name} has ${partitions} partitions.`,
  }
}

function renderResult(topic: Topic, partitions: number, outcome: 'there' | 'planned' | 'grown'): CommandResult {
  const { name } = topic
  const texts = {
    there: `Topic ${name} has ${partitions} partitions already. Nothing to do.`,
    planned: [
      `Topic ${name} has ${topic.partitions} partitions and would have ${partitions}. This would:`,
      '  1. add the partitions in Kafka, which cannot remove them again',
      '  2. pause posting: the API answers 503 "paused" until step 4',
      '  3. wait until the rows in the outbox are published',
      '  4. switch to the new count and continue posting; users move to other partitions',
      'Nothing was changed. Add --yes to do it.',
    ].join('\n'),
    grown: `Topic ${name} has ${partitions} partitions. Posting continues, and the relays take the new ones by themselves.`,
  }
  return {
    exitCode: EXIT.well,
    json: { command: 'topic grow', ok: true, outcome, topic: name, from: topic.partitions, partitions },
    text: texts[outcome],
  }
}
