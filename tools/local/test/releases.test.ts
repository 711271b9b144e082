import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'

// What a release is made of has to agree: CONTRIBUTING.md, "A release".

const ROOT = resolve(import.meta.dirname, '../../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const PACKAGES = '{cli,db,packages/*,services/*,tools/*,examples/*}/package.json'
const HEADING = /^## (.*)$/gm
const RELEASED = /^\[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$/

const version: string = JSON.parse(read('package.json')).version
const migrationOf: Record<string, string> = JSON.parse(read('db/releases.json'))
const [unreleased, ...sections] = [...read('CHANGELOG.md').matchAll(HEADING)].map(([, title]) => title as string)
const released = sections.map((title) => RELEASED.exec(title)?.[1])

test('CHANGELOG.md has what is not released first, and then each release with its date, newest first', () => {
  expect(unreleased).toBe('[Unreleased]')
  expect(released.length).toBeGreaterThan(0)
  expect(released).not.toContain(undefined)
  expect(released).toEqual([...released].sort((one, other) => compareVersions(other as string, one as string)))
})

test('every package has the version of the newest release, which services and image tell', () => {
  const paths = ['package.json', ...globSync(PACKAGES, { cwd: ROOT, exclude: ['**/node_modules/**'] })]
  expect(paths.length).toBeGreaterThan(15)
  const versions = paths.map((path) => ({ path, version: JSON.parse(read(path)).version }))
  expect(versions).toEqual(paths.map((path) => ({ path, version })))
  expect(released[0]).toBe(version)
})

test('of each release it is recorded how far it knows the schema', () => {
  expect(Object.keys(migrationOf).reverse()).toEqual(released)
  const migrations = globSync('*.sql', { cwd: join(ROOT, 'db/migrations') })
  for (const migration of Object.values(migrationOf)) expect(migrations).toContain(migration)
})

function compareVersions(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true })
}
