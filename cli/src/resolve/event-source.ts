import type { TopicRow } from '../read-topic-row.ts'
import type { TopicRecord } from '../reconcile/topic-log.ts'

/** "urn:streamledger:<installation>"; every source but the first one has a number after it. */
const PARTS = 3

const firstSource = ({ event_source }: TopicRow): string => event_source.split(':').slice(0, PARTS).join(':')

/** Whether an event has the current source of this ledger, or an earlier one. */
export function isOurs({ event_source, former_sources }: TopicRow, { headers }: TopicRecord): boolean {
  return [event_source, ...former_sources].includes(headers.ce_source ?? '')
}

/**
 * The number of a source of this ledger, counted from 1; undefined for any other source. The database may not know the
 * source: after a second restore it has forgotten the source that the first restore began.
 */
export function findIncarnation(topic: TopicRow, source: string | undefined): number | undefined {
  const first = firstSource(topic)
  if (source === first) return 1
  const incarnation = source?.startsWith(`${first}:`) ? Number(source.slice(first.length + 1)) : Number.NaN
  return Number.isSafeInteger(incarnation) ? incarnation : undefined
}

/**
 * A source that neither this ledger nor any of these events has had. Its number is at least that of Postgres's timeline,
 * which each restore raises: so it is also none that a restore made the database forget and a lost topic cannot show.
 */
export function nextSource(topic: TopicRow, records: readonly TopicRecord[], timeline: number): string {
  const sources = [topic.event_source, ...records.map(({ headers }) => headers.ce_source)]
  const highest = sources.reduce((one, source) => Math.max(one, findIncarnation(topic, source) ?? 0), 0)
  return `${firstSource(topic)}:${Math.max(highest + 1, timeline)}`
}
