import { test } from '@streamledger/testkit'
import { playRandomHistories } from './random-histories.ts'

test(
  'none of a thousand random histories is answered or stored otherwise than the model says',
  ({ database }) => playRandomHistories(database, 1_000),
  300_000,
)
