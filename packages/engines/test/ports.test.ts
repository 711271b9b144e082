import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { pickFreePort, reservePort } from '../src/ports.ts'

const PORTS = join(import.meta.dirname, '../src/ports.ts')

/** In another process, which is gone afterwards. */
async function elsewhere(expression: string): Promise<unknown> {
  const program = `const { pickFreePort, reservePort } = await import(process.argv[1]); console.log(JSON.stringify(${expression}))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, PORTS])
  return JSON.parse(stdout)
}

test('a port that somebody has picked is nobody else’s for as long as they live, whether or not they listen', async () => {
  const mine = await pickFreePort()
  expect(await elsewhere(`reservePort(${mine})`)).toBe(false)
  const left = (await elsewhere('await pickFreePort()')) as number
  expect([reservePort(left), reservePort(left)]).toEqual([false, true])
})
