/** A record as the broker keeps it: also of aborted transactions, and the marks that end transactions. */
export interface RawRecord {
  offset: number
  producerId: string
  inTransaction: boolean
  isControl: boolean
  /** Of a mark: whether it says that the transaction was aborted. */
  isAbort: boolean
}

export interface AbortedTransaction {
  producerId: string
  firstOffset: number
}

/**
 * The records that a read_committed consumer sees among those of one fetch. `aborted` is what the broker lists beside
 * them: transactions that were aborted, by where they began, which may be before the fetch.
 */
export function committedRecords<Raw extends RawRecord>(
  records: readonly Raw[],
  aborted: readonly AbortedTransaction[],
): Raw[] {
  // The broker lists them by where they ended. kafkajs takes the list as it is, and takes one entry a record: with
  // two producers at once it shows what was aborted, or hides what was not.
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
