// What the relay leaves in Kafka beside the events, as far as others need to read it.

/** What Kafka itself remembers of a partition's last batch: written inside the batch's transaction. */
export interface Receipt {
  seq: number
  batchId: string
  /** The offset after the batch's last record: the next batch begins here, or one later, after a control record. */
  offset: number
}

/** The consumer group whose offsets are the receipts. */
export const receiptGroupOf = (installationId: string): string => `streamledger.relay.${installationId}`

/** Whoever begins a transaction under this id ends those of all who did before. */
export const transactionalIdOf = (installationId: string, topic: string, partition: number): string =>
  `${installationId}-${topic}-${partition}`

/** A receipt from a group's offset and its metadata, or the text that is none; undefined: the group has no offset. */
export function parseReceipt(offset: string, metadata: string | null): Receipt | string | undefined {
  if (offset === '-1') return undefined
  const [, seq, batchId] = /^(\d{1,15}):([0-9a-f-]{36})$/.exec(metadata ?? '') ?? []
  if (!seq || !batchId) return `offset ${offset}, metadata ${JSON.stringify(metadata ?? '')}`
  return { seq: Number(seq), batchId, offset: parseOffset(offset) }
}

/** Offsets are int64 on the wire and text in kafkajs; one that a number cannot hold is an error. */
export function parseOffset(text: string): number {
  const offset = Number(text)
  if (text === '' || !Number.isSafeInteger(offset) || offset < 0)
    throw new RangeError(`not an offset: ${JSON.stringify(text)}`)
  return offset
}
