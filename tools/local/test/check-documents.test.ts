import { expect, test } from 'vitest'
import { checkDocument } from '../src/check-documents.ts'
import { readPage } from '../src/read-blocks.ts'
import { expectOutput } from './document-session.ts'

const FENCE = '```'
const block = (language: string, text = 'a line', mark = '') =>
  `${mark && `${mark}\n`}${FENCE}${language}\n${text}\n${FENCE}\n`
const CONTEXT = {
  scripts: ['start', 'test', 'test:crash'],
  hasSession: (path: string) => path === 'run.md',
  read: (path: string) => ({ 'a.test.ts': "sessionsOf('a.md')", 'b.test.ts': '' })[path],
}
const faultsOf = (markdown: string, path = 'a.md') => checkDocument(readPage(path, markdown), CONTEXT)

test.each([
  ['a block without a language', block(''), 'a.md:1: a block without a language'],
  ['a block of an unknown language', block('shell'), 'a.md:1: "shell" is no language of a block'],
  [
    'a block that nothing runs',
    `# Title\n\n${block('sh')}`,
    'a.md:3: nothing runs this block: give its page a session',
  ],
  ['a block in a list', `1. A step:\n\n   ${FENCE}sql\n   select 1\n   ${FENCE}\n`, 'a.md:3: nothing runs this block'],
  ['a mark without a reason', block('sh', 'x', '<!-- not run: -->'), 'a.md:2: say why it is not run'],
  ['a test that is not there', block('sh', 'x', '<!-- run by: c.test.ts -->'), 'a.md:2: there is no c.test.ts'],
  [
    'a test that does not read the page',
    block('sh', 'x', '<!-- run by: b.test.ts -->'),
    'b.test.ts does not read a.md',
  ],
  [
    'a mark before something else',
    '<!-- not run: later -->\n\nText.\n',
    'a.md:1: this mark is not on the line before a block',
  ],
  [
    'a mark of what is only shown',
    block('text', 'x', '<!-- not run: later -->'),
    'a.md:2: a block of text is not typed',
  ],
  ['a script that is not there', 'Type `npm run test:crush`.\n', 'a.md:1: package.json has no script "test:crush"'],
])('%s is found', (_, markdown, fault) => {
  expect(faultsOf(markdown)).toEqual([expect.stringContaining(fault)])
})

test('a page with a session runs shell, SQL and TypeScript, and nothing else', () => {
  expect(faultsOf(block('sh') + block('sql') + block('ts'), 'run.md')).toEqual([])
  expect(faultsOf(block('java'), 'run.md')).toEqual([expect.stringContaining('run.md:1: a session cannot run java')])
})

test('what is marked, and what nobody types, is not mentioned', () => {
  const marked =
    block('sh', 'x', '<!-- not run: needs a cluster -->') + block('yaml', 'x', '<!-- run by: a.test.ts -->')
  expect(
    faultsOf(`${marked + block('text') + block('mermaid') + block('json')}\`npm run -s test:crash\`, \`npm start\``),
  ).toEqual([])
})

test('a block knows the output that follows it', () => {
  const { blocks } = readPage(
    'a.md',
    `${block('sh')}\n${block('text', 'out')}\n${block('sh')}\nAnd:\n\n${block('text')}`,
  )
  expect(blocks.map(({ output }) => output)).toEqual(['out', undefined, undefined, undefined])
})

test.each([
  ['other lines between', 'one\n\ntwo', 'zero\none\n1.5\ntwo', true],
  ['a line that is cut short', 'one …\n…\nlast', 'one and more\nlast', true],
  [
    'other ids, times, ports and widths',
    'partition 3: "user_id":1 at 2026-01-01T00:00:00.000Z',
    'partition  12:  "user_id":77 at 2027-02-03T04:05:06.700Z',
    true,
  ],
  ['another amount', '"amount":500', '"amount":501', false],
  ['another order', 'one\ntwo', 'two\none', false],
])('an output with %s is judged', (_, shown, output, fits) => {
  const judge = () => expectOutput(output, shown, 'a.md:1')
  if (fits) judge()
  else expect(judge).toThrow('a.md:1 shows a line that was not written')
})
