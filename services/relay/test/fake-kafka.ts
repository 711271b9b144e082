import type { Batch, Kafka, Receipt, Sight } from '../src/publisher.ts'

// A test cannot make a broker skip a marker or answer with old receipts. So this implements the Kafka port with one
// partition. It behaves like a log: an open transaction hides everything after its first record, and a marker ends all
// open records of its producer, which is always the same producer here.

/** Which markers of one transaction are written. */
export interface Marks {
  data: 'written' | 'skipped'
  offsets: 'written' | 'skipped'
}

interface Entry {
  offset: number
  size: number
  batch: Batch | undefined
  state: 'open' | 'committed' | 'aborted'
}

export class FakeKafka implements Kafka {
  readonly log: Entry[] = []
  /** Of the transactions to come, in their order; of all others, both are written. */
  readonly marks: Marks[] = []
  /** Receipts that are shown instead of the newest, one a look. */
  readonly shown: (Receipt | undefined)[] = []
  readonly writers: string[] = []
  /** How often it was asked to be read over new connections. */
  renewals = 0
  /** Whether Kafka answers as if no marker were ever written. */
  stuck = false
  #receipt: Receipt | undefined
  #pending: Receipt | undefined
  #end = 0

  constructor(receipt?: Receipt, end = receipt?.offset ?? 0) {
    this.#receipt = receipt
    this.#end = end
  }

  /** What a read_committed consumer sees. */
  get readable(): string[] {
    const stable = this.#stable()
    return this.log
      .filter(({ state, offset }) => state === 'committed' && offset < stable)
      .flatMap(({ batch }) => batch?.rows.map(({ payload }) => payload) ?? [])
  }

  get receipt(): Receipt | undefined {
    return this.#receipt
  }

  /** Writes as if a producer did that is gone by now. */
  append(batch: Batch, marks: Marks): void {
    this.#publish(batch, marks)
  }

  readonly identity = { clusterId: 'fake', topicId: 'fake' }

  identify = async () => this.identity

  async countPartitions(): Promise<number> {
    return 1
  }

  async openPublisher() {
    return {
      identity: this.identity,
      publish: async (batch: Batch) => {
        this.writers.push(`batch ${batch.seq}`)
        return this.#publish(batch, this.marks.shift())
      },
      writeReceipt: async (receipt: Receipt) => {
        this.writers.push(`receipt ${receipt.seq}`)
        this.#pending = receipt
        this.#finish('committed', { data: 'skipped', offsets: this.marks.shift()?.offsets ?? 'written' })
      },
      fence: async (receipt: Receipt) => {
        this.writers.push('fence')
        const { offset } = this.#append(undefined, 1)
        this.#pending = receipt
        this.#finish('aborted', this.marks.shift())
        return offset
      },
      discard: async () => {},
    }
  }

  leaderOf = (): number => 1

  lookAnew = async (): Promise<Map<number, Sight>> => {
    const receipt = this.shown.length > 0 ? this.shown.shift() : this.#receipt
    return new Map(PARTITIONS.map((partition) => [partition, { receipt, stable: this.#stable() }]))
  }

  look = (): Promise<Map<number, Sight>> => this.lookAnew()

  renew(): void {
    this.renewals += 1
  }

  async readEndOffset(): Promise<number> {
    return this.#end
  }

  async findBatch(_: number, batchId: string, { from, to }: { from: number; to: number }): Promise<number | undefined> {
    return this.log.find(
      ({ batch, offset, state }) =>
        batch?.batchId === batchId && state === 'committed' && offset >= from && offset < to,
    )?.offset
  }

  async findOtherRecord(
    _: number,
    batchId: string,
    { from, to }: { from: number; to: number },
  ): Promise<number | undefined> {
    return this.log.find(
      ({ batch, offset, state }) =>
        batch?.batchId !== batchId && state === 'committed' && offset >= from && offset < to,
    )?.offset
  }

  async close(): Promise<void> {}

  #publish(batch: Batch, marks?: Marks): Receipt {
    const { offset } = this.#append(batch, batch.rows.length)
    const receipt = { seq: batch.seq, batchId: batch.batchId, offset: offset + batch.rows.length }
    this.#pending = receipt
    this.#finish('committed', marks)
    return receipt
  }

  #append(batch: Batch | undefined, size: number): Entry {
    const entry: Entry = { offset: this.#end, size, batch, state: 'open' }
    this.log.push(entry)
    this.#end += size
    return entry
  }

  #finish(state: 'committed' | 'aborted', marks: Marks = { data: 'written', offsets: 'written' }): void {
    if (marks.data === 'written' && !this.stuck) {
      for (const entry of this.log) if (entry.state === 'open') entry.state = state
      this.#end += 1
    }
    if (marks.offsets === 'written') {
      if (state === 'committed') this.#receipt = this.#pending
      this.#pending = undefined
    }
  }

  #stable(): number {
    return this.log.find(({ state }) => state === 'open')?.offset ?? this.#end
  }
}

const PARTITIONS_MAX = 100
const PARTITIONS = Array.from({ length: PARTITIONS_MAX }, (_, partition) => partition)
