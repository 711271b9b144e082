import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const SOURCES = '{cli,db,services/*,packages/*}/src/**/*.ts'
/** Quoted phrases that are typed or queried, and are not messages of our programs. */
const TYPED = /^(--|streamledger |select |update |npm |docker |kubectl |kafka-|pg_basebackup |psql |reconcile |sum by )/
/** Messages and states of PostgreSQL, settings of Patroni and HAProxy, and one that the relay puts together from several parts. */
const NOT_OURS = new Set([
  'idle in transaction',
  'recovery ended before configured recovery target was reached',
  'Kafka does not show batch …',
  'Invalid URL', // of pg-connection-string
  'synchronous_mode: true',
  'GET /primary',
  'inter 3s fall 3',
  'on-marked-down shutdown-sessions',
])

const flatten = (text: string): string => text.replaceAll(/\s+/g, ' ')

/** The pieces of a quoted message between its ellipses. */
const piecesOf = (message: string): string[] =>
  message
    .split('…')
    .map((piece) => piece.trim())
    .filter((piece) => piece.length > 3)

test('every message that the runbook quotes is one that a program prints', () => {
  const runbook = readFileSync(resolve(ROOT, 'docs/runbook.md'), 'utf8').replaceAll(/^ *```.*?^ *```$/gms, '')
  const quoted = [...runbook.matchAll(/`([^`\n]+)`/g)].map(([, text]) => text as string)
  const messages = quoted.filter((text) => text.includes(' ') && !TYPED.test(text) && !NOT_OURS.has(text))
  expect(messages.length).toBeGreaterThan(30)
  const code = flatten(globSync(SOURCES, { cwd: ROOT }).map((path) => readFileSync(resolve(ROOT, path), 'utf8')).join('\n')) // biome-ignore format: one line
  expect(messages.filter((message) => !piecesOf(message).every((piece) => code.includes(piece)))).toEqual([])
})
