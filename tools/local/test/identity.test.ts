import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadIdentity } from '../src/identity.ts'

test('an installation keeps its id and its secret, and nobody else may read the secret', () => {
  const localDir = mkdtempSync(join(tmpdir(), 'identity-'))
  onTestFinished(() => rmSync(localDir, { recursive: true }))
  const first = loadIdentity(localDir, {})
  expect(first.installationId).toMatch(/^[0-9a-f-]{36}$/)
  expect(Buffer.byteLength(first.jwtSecret)).toBeGreaterThanOrEqual(32)
  expect(loadIdentity(localDir, {})).toEqual(first)
  expect(statSync(join(localDir, 'jwt-secret')).mode & 0o777).toBe(0o600)
  const given = { INSTALLATION_ID: 'f2d3a1c8-4a4e-4d8f-9a54-0d2f7a0f6f11', JWT_SECRET: 'x'.repeat(32) }
  expect(loadIdentity(localDir, given)).toEqual({ installationId: given.INSTALLATION_ID, jwtSecret: given.JWT_SECRET })
})
