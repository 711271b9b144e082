import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { rowHeightOf } from '../src/row-height.ts'

test.for([
  ['nothing', '', undefined],
  ['a uuid', randomUUID(), undefined],
  ['what fills a line', 'x'.repeat(36), undefined],
  ['one more than that', 'x'.repeat(37), 30],
  ['more of narrow letters', 'i'.repeat(55), undefined],
  ['fewer of wide letters', 'W'.repeat(20), 30],
  ['what is as wide as it is high', '漢'.repeat(20), 30],
  ['words that no line holds two of', `${'x'.repeat(20)} `.repeat(4), 60],
  ['as much without a place to break it', 'x'.repeat(80), 45],
  ['a line that is broken already', 'a\nb\nc', 45],
  ['the longest', 'x'.repeat(255), 120],
  ['more lines than a row can be high', '\n'.repeat(100), 405],
] as const)('the height of %s', ([, text, height]) => {
  expect(rowHeightOf(text)).toBe(height)
})
