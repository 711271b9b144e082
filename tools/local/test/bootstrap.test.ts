import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { stampOf, withoutNpmVariables } from '../bootstrap.mjs'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'bootstrap-'))
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', 'services/api/package.json'])
    put(file, '{}')
})

afterEach(() => rmSync(root, { recursive: true }))

function put(file: string, text: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true })
  writeFileSync(join(root, file), text)
}

test.each(['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', 'services/api/package.json', 'cli/package.json'])(
  'a change of %s asks for an installation',
  (file) => {
    const before = stampOf(root)
    put(file, '{"changed":true}')
    expect(stampOf(root)).not.toBe(before)
  },
)

test('nothing that the installation itself makes, and no source file, asks for another', () => {
  const before = stampOf(root)
  put('node_modules/pg/package.json', '{}')
  put('services/api/node_modules/pg/package.json', '{}')
  put('.local/exports/package.json', '{}')
  put('services/api/src/main.ts', '')
  expect(stampOf(root)).toBe(before)
})

test('npm keeps its configuration to itself, but for where packages come from', () => {
  const env = {
    PATH: '/bin',
    npm_config_nodedir: '/usr',
    npm_lifecycle_event: 'start',
    npm_config_registry: 'http://127.0.0.1:4873/',
  }
  expect(withoutNpmVariables(env)).toEqual({ PATH: '/bin', npm_config_registry: 'http://127.0.0.1:4873/' })
})
