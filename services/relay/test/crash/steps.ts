import type { Point, Strike } from './fault.ts'

/** A step in words, as they follow those of a point. */
export type NamedStep = Pick<Strike, 'step' | 'nth' | 'since'> & { title: string }

/** What a lane does for a batch, in this order. */
export const STEPS: NamedStep[] = [
  { title: 'its InitProducerId', step: 'init producer id', nth: 1 },
  { title: 'the intent of a batch', step: 'intent', nth: 1 },
  { title: 'adding the partition to the transaction', step: 'enlist partition', nth: 1 },
  { title: 'sending the records', step: 'send', nth: 1 },
  { title: 'adding the group to the transaction', step: 'enlist group', nth: 1 },
  { title: 'the receipt', step: 'receipt', nth: 1 },
  { title: 'the commit', step: 'commit', nth: 1 },
  { title: 'reading the commit back', step: 'look', nth: 1, since: 'commit' },
  { title: 'the intent that confirms the batch', step: 'intent', nth: 1, since: 'commit' },
  { title: 'the last intent, which confirms at SIGTERM', step: 'last intent', nth: 1 },
]

/** A relay that is to be struck at this step must know of it before it starts. */
export const isFirstStep = ({ step }: Pick<Strike, 'step'>): boolean => step === 'init producer id'

/** A relay only reaches this step after it was asked to stop. */
export const isLastStep = ({ step }: Pick<Strike, 'step'>): boolean => step === 'last intent'

export const POINTS: Point[] = ['before', 'sent', 'after']

export const WORDS: Record<Point, string> = { before: 'before', sent: 'in the middle of', after: 'after' }
