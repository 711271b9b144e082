import type { Evidence } from './read-evidence.ts'

export const OUTCOMES = ['published', 'unpublished', 'partly'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** The outcome that fits the evidence. */
export function outcomeOf({ publishedIds, batchIds, batchPublished, otherPublished }: Evidence): Outcome {
  if (publishedIds.length === 0) return 'unpublished'
  return batchIds.length > 0 && batchPublished === batchIds.length && otherPublished === 0 ? 'published' : 'partly'
}

/** Why a partition must not be resolved with this outcome; empty if it may be. */
export function findContradictions(evidence: Evidence, as: Outcome): string[] {
  const { sight, from, removed, lost, overtaken, batchIds, batchPublished, otherPublished, publishedIds } = evidence
  const contradictions: string[] = []
  if (sight.stable < sight.end) {
    contradictions.push(`consumers can read only up to offset ${sight.stable}, and the partition ends at ${sight.end}: a transaction hangs there (kafka-transactions.sh find-hanging), and its records may still become visible`) // biome-ignore format: one line
  }
  if (removed > 0) {
    contradictions.push(`the ${removed} offsets before ${from} were removed from the topic: their content is not known`)
  }
  if (lost.length > 0) {
    contradictions.push(`${lost.length} events in the topic belong to transactions that Postgres does not have: it was restored, or another system writes to this topic. See \`streamledger relay resolve --all --help\``) // biome-ignore format: one line
  }
  if (as === 'unpublished' && publishedIds.length > 0) {
    contradictions.push(`${publishedIds.length} of the rows are in the topic, and would be published twice`)
  }
  if (as === 'published' && batchPublished < batchIds.length) {
    contradictions.push(
      `${batchIds.length - batchPublished} rows of the open batch are not in the topic, and would never be published`,
    )
  }
  if (as === 'published' && batchIds.length === 0) contradictions.push('no batch is open')
  if (as === 'published' && otherPublished > 0) {
    contradictions.push(`${otherPublished} rows outside of the batch are in the topic too: resolve it as partly`)
  }
  if (as === 'partly' && publishedIds.length === 0) contradictions.push('none of the rows is in the topic')
  if (as !== 'unpublished' && overtaken !== undefined) {
    contradictions.push(
      `user ${overtaken} has a row in the topic and an earlier row that is not: the order cannot be kept`,
    )
  }
  return contradictions
}
