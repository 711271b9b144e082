import type { TopicRow } from '../read-topic-row.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'

/** "urn:streamledger:<installation>"; all but the first source have a number after it. */
const PARTS = 3

const firstSource = ({ event_source }: TopicRow): string => event_source.split(':').slice(0, PARTS).join(':')

/** Whether an event has the source that this ledger has now, or one that it had before. */
export function isOurs({ event_source, former_sources }: TopicRow, { headers }: TopicRecord): boolean {
  return [event_source, ...former_sources].includes(headers.ce_source ?? '')
}

/**
 * Which of this ledger's sources that is, counted from 1; undefined: none. It may be one that this database has not heard
 * of: restored a second time, it has forgotten what followed the first time.
 */
export function findIncarnation(topic: TopicRow, source: string | undefined): number | undefined {
  const first = firstSource(topic)
  if (source === first) return 1
  const incarnation = source?.startsWith(`${first}:`) ? Number(source.slice(first.length + 1)) : Number.NaN
  return Number.isSafeInteger(incarnation) ? incarnation : undefined
}

/**
 * A source that neither this ledger nor any of these events has had; nor one that a restore has made this database forget,
 * and a lost topic cannot tell of: it is at least the number of Postgres's timeline, which each restore raises.
 */
export function nextSource(topic: TopicRow, records: readonly TopicRecord[], timeline: number): string {
  const sources = [topic.event_source, ...records.map(({ headers }) => headers.ce_source)]
  const highest = sources.reduce((one, source) => Math.max(one, findIncarnation(topic, source) ?? 0), 0)
  return `${firstSource(topic)}:${Math.max(highest + 1, timeline)}`
}
