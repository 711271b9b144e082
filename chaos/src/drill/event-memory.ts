import { readTopic, type TopicRecord } from '@streamledger/engines'

interface Seen {
  value: string
  /** Counted from 1: the next one begins where the one before was lost. */
  topic: number
  place: string
}

const EXAMPLES_MAX = 5

/**
 * Remembers every event that any consumer can have had, also of a topic that is gone since: a new event that looks like
 * an old one is taken for it.
 */
export class EventMemory {
  readonly #brokers: string
  readonly #topic: string
  readonly #byIdentity = new Map<string, Seen>()
  readonly #bySequence = new Map<string, Seen>()
  #topics = 1

  constructor({ brokers, topic }: { brokers: string; topic: string }) {
    this.#brokers = brokers
    this.#topic = topic
  }

  /** From now on it is another topic under the same name. */
  topicIsLost(): void {
    this.#topics += 1
  }

  /** Reads the topic; returns its records, and the events that look like another that was there before, or twice. */
  async look(): Promise<{ records: TopicRecord[]; lookalikes: string[] }> {
    const records = await readTopic(this.#brokers, this.#topic)
    const lookalikes: string[] = []
    for (const record of records) {
      const { headers, value, partition, offset } = record
      const seen = { value: value ?? '', topic: this.#topics, place: `partition ${partition}, offset ${offset}` }
      const { wallet_id, sequence } = JSON.parse(seen.value)
      const numbered = `${headers.ce_source} wallet ${wallet_id} sequence ${sequence}`
      const other =
        findOther(this.#byIdentity, `${headers.ce_source} ${headers.ce_id}`, seen) ??
        findOther(this.#bySequence, numbered, seen)
      if (!other || lookalikes.length === EXAMPLES_MAX) continue
      lookalikes.push(`event ${headers.ce_id} (${numbered}) at ${seen.place} looks like the one at ${other.place}`)
    }
    return { records, lookalikes }
  }
}

/** What had this name before, unless it is the same event: in the same place, or written again to a topic made anew. */
function findOther(known: Map<string, Seen>, name: string, seen: Seen): Seen | undefined {
  const before = known.get(name)
  if (!before) known.set(name, seen)
  if (!before || before.topic !== seen.topic) return before?.value === seen.value ? undefined : before
  return before.place === seen.place ? undefined : before
}
