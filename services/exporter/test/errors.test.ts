import { expect, test } from '@streamledger/testkit'
import { ExportError, failureOf } from '../src/errors.ts'

const withCode = (code: string, message = 'it went wrong'): Error => Object.assign(new Error(message), { code })

test('a failure is named by what is to be mended', () => {
  const failures = [
    withCode('ENOSPC'),
    withCode('EDQUOT'),
    withCode('EROFS'),
    withCode('ENOENT'),
    withCode('57P01'),
    withCode('ECONNREFUSED'),
    new Error('Connection terminated unexpectedly'),
    new ExportError('rows_changed'),
    withCode('42P01'),
    new TypeError('undefined is not a function'),
    null,
  ]
  expect(failures.map(failureOf)).toEqual([
    ...['storage_full', 'storage_full', 'storage_unavailable', 'storage_unavailable'],
    ...['database_unavailable', 'database_unavailable', 'database_unavailable'],
    ...['rows_changed', 'internal_error', 'internal_error', 'internal_error'],
  ])
})
