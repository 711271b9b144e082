import { expect, test } from 'vitest'
import { parseExportRequested } from '../src/parse-export-requested.ts'

test('a job payload that is none is refused', () => {
  expect(parseExportRequested({ export_id: '0198c0de-0000-7000-8000-000000000000' })).toHaveProperty('export_id')
  for (const payload of [null, {}, { export_id: 5 }, { export_id: 'x' }]) {
    expect(() => parseExportRequested(payload)).toThrow('payload must be')
  }
})
