import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../src/local-config.ts'

test('two files that import each other fail the lint, also if one imports only a type', ({ onTestFinished }) => {
  const folder = mkdtempSync(join(tmpdir(), 'streamledger-lint-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  copyFileSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'))
  writeFileSync(join(folder, 'one.ts'), "import type { Two } from './two.ts'\n\nexport type One = Two[]\n")
  writeFileSync(join(folder, 'two.ts'), "import type { One } from './one.ts'\n\nexport type Two = { ones: One }\n")
  const biome = join(ROOT, 'node_modules/.bin/biome')
  const { status, stdout, stderr } = spawnSync(biome, ['lint', '.'], { cwd: folder, encoding: 'utf8' })
  expect(stdout + stderr).toContain('noImportCycles')
  expect(status).toBe(1)
})
