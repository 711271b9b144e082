/** A record as the broker stores it, including records of aborted transactions and transaction markers. */
export interface RawRecord {
  offset: number
  producerId: string
  inTransaction: boolean
  isControl: boolean
  /** For a marker: whether it aborts its transaction. */
  isAbort: boolean
}

export interface AbortedTransaction {
  producerId: string
  firstOffset: number
}

/**
 * Returns the records of one fetch that a read_committed consumer sees. `aborted` is the broker's list of aborted
 * transactions, each with its first offset, which may be before the fetch.
 */
export function committedRecords<Raw extends RawRecord>(
  records: readonly Raw[],
  aborted: readonly AbortedTransaction[],
): Raw[] {
  // The broker orders the list by the end of the transactions. kafkajs does not sort it, and uses one entry per record:
  // with two producers at once it shows aborted records or hides committed ones.
  const ahead = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<string>()
  let next = 0
  return records.filter((record) => {
    for (; next < ahead.length && (ahead[next] as AbortedTransaction).firstOffset <= record.offset; next += 1) {
      aborting.add((ahead[next] as AbortedTransaction).producerId)
    }
    if (record.isControl) {
      if (record.isAbort) aborting.delete(record.producerId)
      return false
    }
    return !(record.inTransaction && aborting.has(record.producerId))
  })
}
