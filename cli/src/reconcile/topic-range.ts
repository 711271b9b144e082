import type { Topic } from '@streamledger/db'
import { CliError } from '../errors.ts'
import type { PartitionRange, TopicLog } from './topic-log.ts'

/** The options of the command line. */
export interface Asked {
  partition: number | undefined
  since: Date | undefined
  until: Date | undefined
}

/** Where the reading of a partition begins, and what retention has removed from it. */
export interface PartitionStart {
  partition: number
  from: number
  /** Transactions created earlier are not checked: they are outside of --since, or their events may be removed. */
  floor: Date | undefined
  /** Retention has removed events that should be checked: transactions created before the floor cannot be compared. */
  truncated: boolean
}

/**
 * The largest difference between the clock of the API, which dates a transaction, and the clock of the relay, which dates
 * its record. That much more of the topic is read, and that much less is checked where retention has removed events.
 */
export const CLOCK_SKEW_MS = 60_000

export async function findStarts(log: TopicLog, topic: Topic, asked: Asked): Promise<PartitionStart[]> {
  const partitions = choosePartitions(log.partitions(), topic, asked)
  const ranges = await log.ranges(partitions)
  const offsets = asked.since && (await log.offsetsAt(new Date(asked.since.getTime() - CLOCK_SKEW_MS), partitions))
  const starts: PartitionStart[] = []
  for (const range of ranges) {
    const from = Math.max(range.low, offsets?.get(range.partition) ?? 0)
    starts.push(await findStart(log, range, from, asked.since))
  }
  return starts
}

/** Only what is asked for: another partition may have no leader. */
function choosePartitions(found: number[], { name, partitions }: Topic, { partition }: Asked): ReadonlySet<number> {
  if (found.length < partitions) {
    const text = `Topic ${name} has ${found.length} partitions and the database posts to ${partitions}. Is KAFKA_BROKERS right?`
    throw new CliError('unsuitable', text)
  }
  if (partition === undefined) return new Set(found)
  if (found.includes(partition)) return new Set([partition])
  throw new CliError('usage', `Topic ${name} has no partition ${partition}: they are 0 to ${found.length - 1}.`)
}

async function findStart(
  log: TopicLog,
  { partition, low, end }: PartitionRange,
  from: number,
  since: Date | undefined,
): Promise<PartitionStart> {
  // Offsets begin at 0, unless retention or an operator has removed records. That does not matter if a record is left
  // that is older than all that are checked.
  if (low === 0 || from > low) return { partition, from, floor: since, truncated: false }
  const oldest = low < end ? await log.timeAt(partition, low) : undefined
  const sure = new Date((oldest?.getTime() ?? Date.now()) + CLOCK_SKEW_MS)
  if (since && since >= sure) return { partition, from, floor: since, truncated: false }
  return { partition, from, floor: sure, truncated: true }
}
