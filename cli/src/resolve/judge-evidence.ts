import type { Evidence } from './read-evidence.ts'

export const OUTCOMES = ['published', 'unpublished', 'partly'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What the evidence says became of the rows that wait. */
export function outcomeOf({ publishedIds, batchIds, batchPublished, otherPublished }: Evidence): Outcome {
  if (publishedIds.length === 0) return 'unpublished'
  return batchIds.length > 0 && batchPublished === batchIds.length && otherPublished === 0 ? 'published' : 'partly'
}

/** What speaks against resolving a partition in this way; nothing: it may be done. */
export function findContradictions(evidence: Evidence, as: Outcome): string[] {
  const { sight, from, removed, lost, overtaken, batchIds, batchPublished, otherPublished, publishedIds } = evidence
  const contradictions: string[] = []
  if (sight.stable < sight.end) {
    contradictions.push(`consumers read only to ${sight.stable}, and the partition ends at ${sight.end}: something hangs there (kafka-transactions.sh find-hanging), and may yet become visible`) // biome-ignore format: one line
  }
  if (removed > 0) {
    contradictions.push(
      `the ${removed} offsets before ${from} were removed from the topic: what was in them can't be told`,
    )
  }
  if (lost.length > 0) {
    contradictions.push(`${lost.length} events in the topic are of transactions that Postgres does not have: it went back in time, or somebody else writes to this topic. See \`streamledger relay resolve --all --help\``) // biome-ignore format: one line
  }
  if (as === 'unpublished' && publishedIds.length > 0) {
    contradictions.push(`${publishedIds.length} of the rows are in the topic, and would be there twice`)
  }
  if (as === 'published' && batchPublished < batchIds.length) {
    contradictions.push(
      `${batchIds.length - batchPublished} rows of the open batch are not in the topic, and would never be`,
    )
  }
  if (as === 'published' && batchIds.length === 0) contradictions.push('no batch is open')
  if (as === 'published' && otherPublished > 0) {
    contradictions.push(
      `${otherPublished} rows that are in no batch are in the topic as well: it is resolved as partly`,
    )
  }
  if (as === 'partly' && publishedIds.length === 0) contradictions.push('none of the rows is in the topic')
  if (as !== 'unpublished' && overtaken !== undefined) {
    contradictions.push(
      `user ${overtaken} has a row in the topic, and an earlier one that is not: the order can't be kept`,
    )
  }
  return contradictions
}
