import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './local-config.ts'
import { type Page, readPage } from './read-blocks.ts'

export interface DocumentPage {
  readonly path: string
  /** Who reads it, for docs/README.md. */
  readonly reader: string
  /** The test that runs all of its blocks without a mark, in order: it takes its pages from here. */
  readonly session?: string
}

const FIRST_SESSION = 'tools/local/test/demo.long.ts'
const SESSIONS = 'tools/local/test/document-sessions.long.ts'
const COMPOSE = 'tools/local/test/containers/docker-page.containers.ts'

/** Every page that a person reads; those of docs/decisions have a list of their own. */
export const DOCUMENT_PAGES: readonly DocumentPage[] = [
  { path: 'README.md', reader: 'New users', session: FIRST_SESSION },
  { path: 'CONTRIBUTING.md', reader: 'People who change the code' },
  { path: 'CHANGELOG.md', reader: 'People who upgrade' },
  { path: 'docs/README.md', reader: 'Everyone: this list' },
  { path: 'docs/alerts.md', reader: 'People on call' },
  { path: 'docs/architecture.md', reader: 'People who change the code' },
  { path: 'docs/configuration.md', reader: 'Operators' },
  { path: 'docs/consumers.md', reader: 'Authors of consumers of the events', session: SESSIONS },
  { path: 'docs/dashboards.md', reader: 'People on call' },
  { path: 'docs/docker.md', reader: 'People who try it on one host with Docker', session: COMPOSE },
  { path: 'docs/errors.md', reader: 'Authors of clients' },
  { path: 'docs/exports.md', reader: 'Users of the Excel files, and authors of programs that read them' },
  { path: 'docs/kubernetes.md', reader: 'Operators who install it on Kubernetes' },
  { path: 'docs/metrics.md', reader: 'Operators' },
  { path: 'docs/performance.md', reader: 'Operators who plan capacity' },
  { path: 'docs/reliability.md', reader: 'People who judge or change the guarantees' },
  { path: 'docs/roles.md', reader: 'Operators who set up the database' },
  { path: 'docs/runbook.md', reader: 'People on call', session: SESSIONS },
  { path: 'docs/scaling.md', reader: 'Operators who plan capacity' },
  { path: 'docs/security.md', reader: 'Security reviewers' },
  { path: 'docs/status.md', reader: 'New users: what was run, and what was not' },
  { path: 'docs/tracing.md', reader: 'Operators' },
  { path: 'docs/upgrading.md', reader: 'Operators who upgrade', session: SESSIONS },
  { path: 'docs/decisions/README.md', reader: 'People who ask why' },
  { path: 'tools/bench/README.md', reader: 'People who measure it' },
  { path: 'tools/chaos/README.md', reader: 'People who test it under faults' },
  { path: 'examples/consumers/README.md', reader: 'Authors of consumers of the events', session: SESSIONS },
  { path: 'tools/fuzz/README.md', reader: 'People who test the API' },
  { path: 'packages/client/README.md', reader: 'Authors of clients in TypeScript', session: SESSIONS },
]

/** The pages that a test file runs. */
export function sessionsOf(testFile: string): Page[] {
  return DOCUMENT_PAGES.filter(({ session }) => session === testFile).map(({ path }) => readDocument(path))
}

export const readDocument = (path: string): Page => readPage(path, readFileSync(join(ROOT, path), 'utf8'))

/** All Markdown files of the repository. */
export function findDocuments(): string[] {
  const exclude = (path: string) => /(^|\/)(node_modules|\.local|\.git)(\/|$)/.test(path)
  return globSync('**/*.md', { cwd: ROOT, exclude }).sort()
}
