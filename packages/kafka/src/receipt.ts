// What the relay stores in Kafka besides the events, for other programs to read.

/** The record in Kafka of a partition's last batch, written in the batch's transaction. */
export interface Receipt {
  seq: number
  batchId: string
  /** The offset after the batch's last record. The next batch begins here or later, after the transaction marker. */
  offset: number
}

/** The consumer group whose offsets are the receipts. */
export const receiptGroupOf = (installationId: string): string => `streamledger.relay.${installationId}`

/** A producer that starts with this id fences all earlier producers with the same id. */
export const transactionalIdOf = (installationId: string, topic: string, partition: number): string =>
  `${installationId}-${topic}-${partition}`

/**
 * A receipt from a group's offset and its metadata. A string: it cannot be parsed. Undefined: the group has no offset.
 */
export function parseReceipt(offset: string, metadata: string | null): Receipt | string | undefined {
  if (offset === '-1') return undefined
  const [, seq, batchId] = /^(\d{1,15}):([0-9a-f-]{36})$/.exec(metadata ?? '') ?? []
  if (!seq || !batchId) return `offset ${offset}, metadata ${JSON.stringify(metadata ?? '')}`
  return { seq: Number(seq), batchId, offset: parseOffset(offset) }
}

/** Offsets are int64 in the protocol and strings in kafkajs; an unsafe integer is an error. */
export function parseOffset(text: string): number {
  const offset = Number(text)
  if (text === '' || !Number.isSafeInteger(offset) || offset < 0)
    throw new RangeError(`not an offset: ${JSON.stringify(text)}`)
  return offset
}
