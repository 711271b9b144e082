import { readTopic, type TopicRecord } from '@streamledger/engines'

interface Seen {
  value: string
  /** Counted from 1; a new one begins when the topic is lost. */
  topic: number
  place: string
}

const EXAMPLES_MAX = 5

/**
 * Remembers all events that a consumer can have seen, also those of lost topics. A consumer would take a new event with
 * the identity of an old one for the old one.
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

  /** From now on the topic is a new one with the same name. */
  topicIsLost(): void {
    this.#topics += 1
  }

  /** Reads the topic. Returns its records, and the events with the identity of another event. */
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

/**
 * An earlier event with the same identity, unless it is the same event: same position, or written again to a new topic.
 */
function findOther(known: Map<string, Seen>, name: string, seen: Seen): Seen | undefined {
  const before = known.get(name)
  if (!before) known.set(name, seen)
  if (!before || before.topic !== seen.topic) return before?.value === seen.value ? undefined : before
  return before.place === seen.place ? undefined : before
}
