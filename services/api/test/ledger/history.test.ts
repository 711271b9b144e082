import { test } from '@streamledger/testkit'
import { playRandomHistories } from './random-histories.ts'

test(
  'no random history is answered or stored otherwise than the model says',
  ({ database }) => playRandomHistories(database, 200),
  120_000,
)
