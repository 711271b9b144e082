import { expect, test } from 'vitest'
import { checkWalks } from '../src/check-walks.ts'

const FILES: Record<string, string> = {
  'a/src/main.ts': "import { next } from './next.ts'\nasync function start() {}\n",
  'a/src/next.ts': 'export const next = () => {}\nclass Queue {\n  #pump(): void {}\n  get size(): number {}\n}\n',
  'a/src/other.ts': 'export function other() {}\n',
}
const check = (...steps: string[]) =>
  checkWalks(
    ['### One thing (`a/src`)', ...steps.map((step, index) => `${index + 1}. ${step}`)].join('\n'),
    (path) => FILES[path],
  )

test('a walk whose functions exist, each in a file that one before it imports, is right', () => {
  expect(check('`main.ts: start` starts', '`next.ts: next`', '`next.ts: #pump`', '`next.ts: size`')).toEqual([])
})

test('a function, a file or an import that is gone is named with its line', () => {
  expect(check('`main.ts: stop`')).toEqual(['docs/architecture.md:2: a/src/main.ts has no stop'])
  expect(check('`gone.ts: start`')).toEqual(['docs/architecture.md:2: there is no a/src/gone.ts'])
  expect(check('`main.ts: start`', '`other.ts: other`')).toEqual([
    'docs/architecture.md:3: no file before it imports a/src/other.ts',
  ])
})

test('a step that another program starts needs no import', () => {
  expect(check('`main.ts: start`', 'By its job: `other.ts: other`')).toEqual([])
})

test('a name that is only called, or part of a longer one, is not there', () => {
  expect(check('`main.ts: nex`')).toHaveLength(1)
  expect(check('`next.ts: pump`')).toHaveLength(1)
})

test('a walk has at most 15 steps', () => {
  expect(check(...Array(16).fill('`main.ts: start`'))).toEqual([
    'docs/architecture.md:1: 16 steps; a walk has 15 at most',
  ])
})
