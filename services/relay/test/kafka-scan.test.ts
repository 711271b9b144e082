import { expect, test } from '@streamledger/testkit'
import { BATCH_HEADER } from '../src/kafka-client.ts'
import type { LogRecord } from '../src/kafka-log.ts'
import { scanForBatch, scanForOtherRecord } from '../src/kafka-scan.ts'

type Line = [producerId: string, what: 'commit' | 'abort' | string]

/** A log from offset 100 on, which shows `page` records a fetch. Only the producer `-1` writes without transactions. */
function makeLog(lines: Line[], page = 2) {
  const records = lines.map(([producerId, what], index): LogRecord => {
    const mark = what === 'commit' || what === 'abort' ? what : undefined
    const headers = mark ? {} : { [BATCH_HEADER]: Buffer.from(what) }
    return { offset: 100 + index, producerId, inTransaction: producerId !== '-1', mark, headers }
  })
  const fetch = async (_: number, offset: number) => records.slice(offset - 100, offset - 100 + page)
  return { fetch }
}

const scan = (lines: Line[], to = 100 + lines.length) =>
  scanForBatch(makeLog(lines), { partition: 0, batchId: 'wanted', offsets: { from: 100, to } }, () => {})

test.for<[string, Line[], number | undefined]>([
  [
    'it was committed',
    [
      ['a', 'other'],
      ['a', 'commit'],
      ['a', 'wanted'],
      ['a', 'row'],
      ['a', 'commit'],
    ],
    102,
  ],
  [
    'it was aborted',
    [
      ['a', 'wanted'],
      ['a', 'abort'],
    ],
    undefined,
  ],
  [
    'it hung until a fence ended it',
    [
      ['a', 'wanted'],
      ['a', 'row'],
      ['a', 'fence'],
      ['a', 'abort'],
    ],
    undefined,
  ],
  [
    'it was aborted and published again',
    [
      ['a', 'wanted'],
      ['a', 'abort'],
      ['a', 'wanted'],
      ['a', 'commit'],
    ],
    102,
  ],
  [
    "another producer's abort came between",
    [
      ['b', 'row'],
      ['a', 'wanted'],
      ['b', 'abort'],
      ['a', 'commit'],
    ],
    101,
  ],
  [
    "another producer's commit came between",
    [
      ['b', 'row'],
      ['a', 'wanted'],
      ['b', 'commit'],
      ['a', 'abort'],
    ],
    undefined,
  ],
  [
    'it is not there',
    [
      ['a', 'other'],
      ['a', 'commit'],
    ],
    undefined,
  ],
  [
    'another program copied its first record, without a transaction',
    [
      ['a', 'wanted'],
      ['a', 'abort'],
      ['-1', 'wanted'],
      ['a', 'wanted'],
      ['a', 'commit'],
    ],
    103,
  ],
  [
    'only such a copy is there',
    [
      ['-1', 'wanted'],
      ['a', 'fence'],
      ['a', 'abort'],
    ],
    undefined,
  ],
  [
    'another program copied its first record, in a transaction that is aborted later',
    [
      ['b', 'wanted'],
      ['a', 'wanted'],
      ['a', 'commit'],
      ['b', 'abort'],
    ],
    101,
  ],
])('a batch is found only where its own transaction was committed: %s', async ([, lines, expected]) => {
  expect(await scan(lines)).toBe(expected)
})

test('the mark of a batch is read also where it lies past the end of the scan', async () => {
  expect(
    await scan(
      [
        ['a', 'wanted'],
        ['a', 'fence'],
        ['a', 'abort'],
      ],
      101,
    ),
  ).toBeUndefined()
  expect(
    await scan(
      [
        ['a', 'wanted'],
        ['a', 'row'],
        ['a', 'commit'],
      ],
      101,
    ),
  ).toBe(100)
})

test('an answer that is empty where something must be is an error, and no word on the batch', async () => {
  await expect(scan([['a', 'other']], 110)).rejects.toThrow('shows nothing at offset 101')
})

test('a scan keeps its position over fetches that fail, and reports each fetch as progress', async () => {
  const rows = Array.from({ length: 20 }, (): Line => ['a', 'other'])
  const log = makeLog([...rows, ['a', 'wanted'], ['a', 'commit']])
  let fetches = 0
  const fetch = async (partition: number, offset: number) => {
    fetches += 1
    if (fetches % 2 === 0) throw new Error('not now')
    return log.fetch(partition, offset)
  }
  let progress = 0
  const wanted = { partition: 0, batchId: 'wanted', offsets: { from: 100, to: 122 } }
  const found = await scanForBatch({ fetch }, wanted, () => {
    progress += 1
  })
  expect(found).toBe(120)
  expect(progress).toBe(fetches)

  const down = { fetch: () => Promise.reject(new Error('down')) }
  await expect(scanForBatch(down, wanted, () => {})).rejects.toThrow('down')
})

/** `wanted` is the first record of the batch, `row` a later one or one of another program. */
const scanOthers = (lines: Line[]) => {
  const { fetch } = makeLog(lines)
  const withoutIds = async (partition: number, offset: number) =>
    (await fetch(partition, offset)).map((record) => {
      const id = record.headers[BATCH_HEADER]?.toString() ?? ''
      return ['row', 'fence'].includes(id) ? { ...record, headers: {} } : record
    })
  const offsets = { from: 100, to: 100 + lines.length }
  return scanForOtherRecord({ fetch: withoutIds }, { partition: 0, batchId: 'wanted', offsets }, () => {})
}

test.for<[string, Line[], number | undefined]>([
  ['nothing is there', [], undefined],
  [
    'only the batch is',
    [
      ['a', 'wanted'],
      ['a', 'row'],
      ['a', 'commit'],
    ],
    undefined,
  ],
  [
    'the others were aborted',
    [
      ['a', 'other'],
      ['a', 'row'],
      ['a', 'abort'],
      ['a', 'wanted'],
      ['a', 'row'],
      ['a', 'commit'],
      ['a', 'fence'],
      ['a', 'abort'],
    ],
    undefined,
  ],
  [
    'another batch follows',
    [
      ['a', 'wanted'],
      ['a', 'row'],
      ['a', 'commit'],
      ['a', 'other'],
      ['a', 'commit'],
    ],
    103,
  ],
  [
    'another program wrote in a transaction that overlaps',
    [
      ['a', 'wanted'],
      ['b', 'row'],
      ['a', 'commit'],
      ['b', 'commit'],
    ],
    101,
  ],
  [
    'another program wrote without a transaction',
    [
      ['a', 'wanted'],
      ['-1', 'row'],
      ['a', 'commit'],
    ],
    101,
  ],
  [
    'another program copied its first record, without a transaction',
    [
      ['a', 'wanted'],
      ['-1', 'wanted'],
      ['a', 'commit'],
    ],
    101,
  ],
])('the records that are not of a batch: %s', async ([, lines, found]) => {
  expect(await scanOthers(lines)).toBe(found)
})
