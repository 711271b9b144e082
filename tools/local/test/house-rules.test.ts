import { expect, test } from 'vitest'
import { checkHouseRules, checkWords, type SourceFile } from '../src/house-rules.ts'

const rulesOf = (...files: SourceFile[]): string[] => checkHouseRules(files).map(({ rule }) => rule)
const file = (path: string, text: string): SourceFile => ({ path, text })
const main = (...imports: string[]): SourceFile =>
  file('services/api/src/main.ts', imports.map((specifier) => `import '${specifier}'`).join('\n'))

test('what keeps to the rules is not mentioned', () => {
  const app = file('services/api/src/app.ts', "import { createDatabase } from '@streamledger/db'\n")
  expect(rulesOf(main('./app.ts'), app)).toEqual([])
})

test.each([
  [
    'a service that imports another',
    file('services/relay/src/main.ts', "import '../../api/src/app.ts'"),
    'another room',
  ],
  ['a service that imports the test kit', main('@streamledger/testkit'), 'may not import @streamledger/testkit'],
  [
    'a package that imports the database',
    file('packages/events/src/index.ts', "import '@streamledger/db'"),
    'may not import',
  ],
  [
    'a program that imports a service',
    file('tools/local/src/start.ts', "import '../../services/api/src/app.ts'"),
    'another room',
  ],
  [
    'a ledger that knows HTTP',
    file('services/api/src/ledger/main.ts', "import { a } from 'fastify'"),
    'nothing of HTTP',
  ],
  [
    'a ledger that knows a plugin of it',
    file('services/api/src/ledger/main.ts', "import '@fastify/jwt'"),
    'nothing of HTTP',
  ],
  [
    'a route that sees a table',
    file('services/api/src/routes/main.ts', "import { sql } from 'kysely'"),
    'never sees a table',
  ],
  [
    'kafkajs outside its files',
    file('services/relay/src/main.ts', "import { Kafka } from 'kafkajs'"),
    'kafkajs stays behind',
  ],
  [
    'kafkajs elsewhere in the command line',
    file('cli/src/main.ts', "import { Kafka } from 'kafkajs'"),
    'kafkajs stays',
  ],
  [
    'a client of Kafka without codecs',
    file('tools/bench/src/main.ts', 'const kafka = new Kafka({ brokers })'),
    'createKafka of packages/kafka',
  ],
  ['an environment read in passing', file('services/api/src/index.ts', 'process.env.PORT'), 'reads the environment'],
  [
    'a prepared statement that returns whatever a table has',
    file('services/api/src/index.ts', "db.selectFrom('wallets').selectAll()"),
    'names its columns',
  ],
  ['a file that is too long', file('services/api/src/index.ts', '\n'.repeat(500)), '400 at most'],
  ['work left for later', file('services/api/src/index.ts', `// ${'TO'}DO: later`), 'finish it'],
])('%s is found', (_, offender, rule) => {
  expect(rulesOf(offender)).toEqual([expect.stringContaining(rule)])
})

test('a route may name the type of what it hands on, and a ledger no type of HTTP', () => {
  const route = file('services/api/src/routes/main.ts', "import type { Db } from '@streamledger/db'\n")
  expect(rulesOf(route)).toEqual([])
  const ledger = file('services/api/src/ledger/main.ts', "import type { FastifyReply } from 'fastify'\n")
  expect(rulesOf(ledger)).toHaveLength(1)
})

test('tests may use the test kit and the engines', () => {
  const spec = file(
    'services/api/test/x.test.ts',
    "import '@streamledger/testkit'\nimport '@streamledger/engines'\nimport '../src/main.ts'",
  )
  expect(rulesOf(main(), spec)).toEqual([])
})

test('words that make a sentence a riddle are found, but not in a landed migration', () => {
  const text = '// Whoever asks is told.'
  expect(checkWords(file('docs/runbook.md', text)).map(({ rule }) => rule)).toEqual([
    '"Whoever": say who does it, in plain words',
  ])
  expect(checkWords(file('db/migrations/0001_users.sql', text))).toEqual([])
})
