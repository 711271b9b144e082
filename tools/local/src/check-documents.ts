// What a page tells people to type is run by a test, or says why it is not; CONTRIBUTING.md has the rules.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DOCUMENT_PAGES, findDocuments, readDocument } from './document-pages.ts'
import { ROOT } from './local-config.ts'
import { type Block, isTyped, type Page, SHOWN, TYPED } from './read-blocks.ts'

/** What a session can run; see tools/local/test/document-session.ts. */
const SESSION_LANGUAGES = ['sh', 'sql', 'ts']

/** Decisions have a list of their own; a README beside the code of a service is found there. */
const UNLISTED = /^(docs\/decisions\/\d|services\/)/

export interface DocumentContext {
  /** The names of package.json's scripts. */
  readonly scripts: readonly string[]
  /** Whether a test runs the page's blocks without a mark. */
  hasSession(path: string): boolean
  /** A file of the repository, or undefined. */
  read(path: string): string | undefined
}

/** Returns what is wrong with a page, as file:line and what to do. */
export function checkDocument(page: Page, context: DocumentContext): string[] {
  const at = (line: number, fault: string) => `${page.path}:${line}: ${fault}`
  return [
    ...page.strayMarks.map((line) => at(line, 'this mark is not on the line before a block: move it, or remove it')),
    ...page.blocks.flatMap((block) => checkBlock(page, block, context).map((fault) => at(block.line, fault))),
    ...page.code.flatMap(({ line, text }) => checkScripts(text, context).map((fault) => at(line, fault))),
  ]
}

function checkBlock(page: Page, block: Block, context: DocumentContext): string[] {
  const { language, mark } = block
  if (language === '') return ['a block without a language: give it one, `text` if nobody types it']
  if (!isTyped(block)) {
    if (!SHOWN.some((shown) => shown === language))
      return [`"${language}" is no language of a block: use one of ${[...TYPED, ...SHOWN].join(', ')}`]
    return mark ? [`a block of ${language} is not typed: remove its mark`] : []
  }
  if (mark?.kind === 'not run') return mark.text === '' ? ['say why it is not run: <!-- not run: REASON -->'] : []
  if (mark) return checkTest(page, mark.text, context)
  if (context.hasSession(page.path)) {
    return SESSION_LANGUAGES.includes(language)
      ? []
      : [`a session cannot run ${language}: write <!-- run by: TEST FILE --> or <!-- not run: REASON --> before it`]
  }
  return [
    'nothing runs this block: give its page a session in tools/local/src/document-pages.ts, or write ' +
      '<!-- run by: TEST FILE --> or <!-- not run: REASON --> on the line before it',
  ]
}

/** A test that runs a block takes it from the page, so it names the page. */
function checkTest({ path }: Page, test: string, { read }: DocumentContext): string[] {
  const source = read(test)
  if (source === undefined) return [`there is no ${test}: name the test file that runs the block`]
  return source.includes(path) ? [] : [`${test} does not read ${path}: a test takes the block from its page`]
}

function checkScripts(text: string, { scripts }: DocumentContext): string[] {
  const named = text.matchAll(/\bnpm (?:run (?:-s )?([\w:-]+)|(start|test)\b)/g)
  return [...named]
    .map(([, run, short]) => run ?? short ?? '')
    .filter((name) => !scripts.includes(name))
    .map((name) => `package.json has no script "${name}"`)
}

function readText(path: string): string | undefined {
  return existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8') : undefined
}

if (import.meta.main) {
  const { scripts } = JSON.parse(readText('package.json') ?? '') as { scripts: Record<string, string> }
  const sessions = new Set(DOCUMENT_PAGES.filter(({ session }) => session).map(({ path }) => path))
  const context = { scripts: Object.keys(scripts), hasSession: (path: string) => sessions.has(path), read: readText }
  const pages = findDocuments().map(readDocument)
  const known = new Set(DOCUMENT_PAGES.map(({ path }) => path))
  const unknown = pages.filter(({ path }) => !known.has(path) && !UNLISTED.test(path))
  const faults = [
    ...unknown.map(({ path }) => `${path}:1: add the page to tools/local/src/document-pages.ts, with its reader`),
    ...pages.flatMap((page) => checkDocument(page, context)),
    ...DOCUMENT_PAGES.flatMap(({ path, session }) =>
      [path, ...(session ? [session] : [])]
        .filter((file) => readText(file) === undefined)
        .map((file) => `${file} is missing: tools/local/src/document-pages.ts names it`),
    ),
  ]
  for (const fault of faults) console.error(fault)
  const blocks = pages.flatMap((page) => page.blocks).filter(isTyped)
  const notRun = blocks.filter(({ mark }) => mark?.kind === 'not run').length
  console.log(
    `${pages.length} pages, ${blocks.length} blocks to type, ${notRun} of them not run, ${faults.length} faults`,
  )
  process.exitCode = faults.length > 0 ? 1 : 0
}
