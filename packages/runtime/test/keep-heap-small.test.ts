import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../src/keep-heap-small.ts')

/** Runs in its own process, with many short-lived objects. */
const PROGRAM = `
const { keepHeapSmall, growYoungSpace } = await import(process.argv[1])
const { getHeapSpaceStatistics } = await import('node:v8')
const youngMb = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size / 1048576
const work = () => {
  let kept = []
  for (let n = 0; n < 20_000; n += 1) {
    kept.push(Array.from({ length: 100 }, (_, index) => ({ index })))
    if (kept.length > 300) kept = []
  }
}
keepHeapSmall()
work()
const small = youngMb()
growYoungSpace(8)
const grown = youngMb()
work()
console.log(JSON.stringify({ small, grown, later: youngMb() }))
`

test('what is young stays small, and gets more room only when it is told to', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', PROGRAM, MODULE])
  const { small, grown, later } = JSON.parse(stdout)
  expect(small).toBeLessThan(8)
  expect(grown).toBeGreaterThanOrEqual(8)
  expect(grown).toBeLessThanOrEqual(16)
  expect(later).toBeLessThanOrEqual(16) // V8 may shrink it while idle, or grow it to a size that it had already chosen
})
