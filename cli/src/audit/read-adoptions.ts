import type { Pool } from 'pg'

/** That an operator has recorded another Kafka: each event is there, at the offset that it had before. */
export interface Adoption {
  from_topic_id: string
  to_topic_id: string
  to_cluster_id: string
  reason: string
  adopted_by: string
  adopted_at: Date
}

/** In the order in which they were recorded. */
export async function readAdoptions(pool: Pool): Promise<Adoption[]> {
  const { rows } = await pool.query<Adoption>(
    `select from_topic_id, to_topic_id, to_cluster_id, reason, adopted_by, adopted_at
       from cluster_adoptions order by id`,
  )
  return rows
}

/** The adoptions that lead from one topic to another, one after the other; undefined: none do. */
export function findWay(adoptions: readonly Adoption[], from: string, to: string): Adoption[] | undefined {
  if (from === to) return []
  let at = from
  const way: Adoption[] = []
  for (const adoption of adoptions) {
    if (adoption.from_topic_id !== at || adoption.to_topic_id === at) continue
    way.push(adoption)
    at = adoption.to_topic_id
  }
  return at === to ? way : undefined
}
