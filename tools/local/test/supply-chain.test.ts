import { expect, test } from 'vitest'
import { checkInstallScripts } from '../src/install-scripts.ts'
import { judgeAudit } from '../src/supply-chain.ts'

test('a registry that cannot be asked is no verdict, and whatever else fails is one', () => {
  expect(judgeAudit({ code: 0, output: 'No known vulnerabilities found' })).toEqual({ kind: 'clean' })
  const refused = 'Error: ERR_PNPM_AUDIT_BAD_RESPONSE The audit endpoint responded with 405:'
  expect(judgeAudit({ code: 1, output: refused })).toMatchObject({ kind: 'not asked' })
  expect(judgeAudit({ code: 1, output: 'getaddrinfo ENOTFOUND registry.example' })).toMatchObject({ kind: 'not asked' })
  expect(judgeAudit({ code: 1, output: '1 vulnerabilities found\nSeverity: 1 high' })).toEqual({ kind: 'found' })
  expect(judgeAudit({ code: 1, output: '' })).toEqual({ kind: 'found' })
  expect(judgeAudit({ code: null, output: '' })).toEqual({ kind: 'found' })
})

test('a package that runs code when it is installed has to be allowed to, and one that would has to be named', () => {
  const script = (name: string) => ({ name, hasScript: true })
  expect(checkInstallScripts({ node: true, argon2: false }, ['node'], [script('node'), script('argon2')])).toEqual([])
  expect(checkInstallScripts({ node: true, evil: true }, ['node'], [])).toEqual([
    expect.stringMatching(/^evil may run/),
  ])
  expect(checkInstallScripts({ node: true }, ['node'], [script('other')])).toEqual([
    expect.stringMatching(/^other has/),
  ])
  expect(checkInstallScripts({ node: false }, ['node'], [])).toEqual([expect.stringMatching(/^node is in the list/)])
})
