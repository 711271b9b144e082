/** What a relay does next when it is struck, as its own requests name it; of a lane, except for the look at Kafka. */
export type Step =
  | 'intent'
  | 'last intent'
  | 'read open batch'
  | 'init producer id'
  | 'enlist partition'
  | 'send'
  | 'enlist group'
  | 'receipt'
  | 'commit'
  | 'look'
  | 'fence'
  | 'abort'

/** Of a request: before it is written, when it is written and its answer not read, when its answer is read and not acted on. */
export type Point = 'before' | 'sent' | 'after'

/** Where a relay process strikes itself. */
export interface Strike {
  step: Step
  point: Point
  signal: 'SIGKILL' | 'SIGSTOP'
  /** The nth request of this step in a lane, counted from 1, since the relay has known of the fault. */
  nth: number
  /** Only lanes count in which there was such a request since. */
  since?: Step
}

/** A strike for the relays of a cell: the first that comes to it is struck, and no other. */
export interface Fault extends Strike {
  /** Made by the process that is struck, at that moment. */
  struckFile: string
}

/** What is in the struck file. */
export interface Struck {
  pid: number
  lane: number | undefined
}

/** Names the file that has the fault, if there is one. */
export const FAULT_VARIABLE = 'CRASH_FAULT_FILE'
