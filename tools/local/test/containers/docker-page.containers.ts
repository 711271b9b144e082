import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, inject, onTestFinished, test } from 'vitest'
import { sessionsOf } from '../../src/document-pages.ts'
import { ROOT } from '../../src/local-config.ts'
import { runSession } from '../document-session.ts'
import { createComposeProject } from './compose-project.ts'

test('what docs/docker.md tells people to type works, from its first block to its last', async () => {
  const [page] = sessionsOf('tools/local/test/containers/docker-page.containers.ts')
  if (!page) throw new Error('docs/docker.md has no session')
  const project = await createComposeProject(inject('dockerEnv'), inject('images'))
  const localDir = mkdtempSync(join(tmpdir(), 'docker-page-'))
  onTestFinished(async () => {
    await project.compose('down', '--volumes', '--timeout', '1')
    rmSync(localDir, { recursive: true })
  })
  // The page writes id and secret into a file `.env`, here in the session's own folder.
  const { INSTALLATION_ID: _, JWT_SECRET: __, COMPOSE_DISABLE_ENV_FILE: ___, ...env } = project.env
  const composeFiles = [join(ROOT, 'docker-compose.yml'), join(import.meta.dirname, 'build.yml')]
  const files = { COMPOSE_FILE: composeFiles.join(':'), COMPOSE_ENV_FILES: '.env' }
  const session = await runSession(page, { env: { ...env, ...files, LOCAL_DIR: localDir } as Record<string, string> })
  expect(session.outputOf('outbox status')).toMatch(/^partition /m)
})
