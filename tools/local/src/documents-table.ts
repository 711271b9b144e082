import { relative } from 'node:path'
import { DOCUMENT_PAGES, readDocument } from './document-pages.ts'
import { isTyped } from './read-blocks.ts'

const HEAD = `# The documents

Made by \`npm run fix\` from \`tools/local/src/document-pages.ts\` and the pages themselves; \`npm run check\` fails when it is stale.

A block is a piece of a page that a person types: commands, SQL, code or configuration. Tests take the blocks out of the pages
and run them. A block that no test runs says why, on the line before it.

| page | for | blocks run | not run, and why |
|---|---|---|---|
`

/** docs/README.md: each page, its reader, and how many of its blocks are run. */
export function makeDocumentsTable(): string {
  return HEAD + DOCUMENT_PAGES.map(({ path, reader }) => `${makeRow(path, reader)}\n`).join('')
}

function makeRow(path: string, reader: string): string {
  const name = path === 'docs/README.md' ? path : `[${path}](${relative('docs', path)})`
  if (path === 'docs/README.md') return `| ${name} | ${reader} | | |` // it is what is being made
  const typed = readDocument(path).blocks.filter(isTyped)
  const reasons = typed.flatMap(({ mark }) => (mark?.kind === 'not run' ? [mark.text] : []))
  const counted = Map.groupBy(reasons, (reason) => reason).entries()
  const notRun = [...counted].map(([reason, { length }]) => `${length}: ${reason.replaceAll('|', '\\|')}`).join('; ')
  const run = typed.length - reasons.length
  return `| ${name} | ${reader} | ${run || ''} | ${notRun} |`
}
