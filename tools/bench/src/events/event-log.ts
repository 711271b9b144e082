export interface SeenEvent {
  transactionId: number
  partition: number
  offset: number
  seenAtMs: number
}

/** Numbers per event. No object per event: a million objects would disturb a process that measures time. */
const FIELDS = 4
const FIRST_EVENTS = 65_536

/** Stores events in one growing array. */
export function createEventLog() {
  let values = new Float64Array(FIRST_EVENTS * FIELDS)
  let used = 0
  return {
    add: ({ transactionId, partition, offset, seenAtMs }: SeenEvent) => {
      if (used === values.length) {
        const larger = new Float64Array(values.length * 2)
        larger.set(values)
        values = larger
      }
      values[used] = transactionId
      values[used + 1] = partition
      values[used + 2] = offset
      values[used + 3] = seenAtMs
      used += FIELDS
    },
    count: () => used / FIELDS,
    bytes: (): Uint8Array => new Uint8Array(values.buffer, 0, used * Float64Array.BYTES_PER_ELEMENT),
  }
}

/** Reads what a log's bytes hold, column by column, from one event up to another. */
export function readEventLog(bytes: Uint8Array) {
  const values = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float64Array.BYTES_PER_ELEMENT)
  const count = values.length / FIELDS
  return {
    count,
    columns: (from: number, to: number): number[][] =>
      Array.from({ length: FIELDS }, (_, field) =>
        Array.from(
          { length: Math.min(to, count) - from },
          (_, index) => values[(from + index) * FIELDS + field] as number,
        ),
      ),
  }
}
