import type { Code, InlineCode, Nodes } from 'mdast'
import { fromMarkdown } from 'mdast-util-from-markdown'

/** Why a block is not run on its page's stack: `<!-- not run: REASON -->` or `<!-- run by: TEST FILE -->` on the line before it. */
export interface Mark {
  readonly kind: 'not run' | 'run by'
  readonly text: string
}

/** A fenced block of a page. */
export interface Block {
  /** Of the line with the fence, from 1. */
  readonly line: number
  readonly language: string
  readonly text: string
  readonly mark: Mark | undefined
  /** What the page shows as its output: the `text` block that follows it directly. */
  readonly output: string | undefined
}

export interface Page {
  /** From the root of the repository. */
  readonly path: string
  readonly blocks: readonly Block[]
  /** All code in the page, blocks and words between backticks. */
  readonly code: readonly { readonly line: number; readonly text: string }[]
  /** Marks that no block follows. */
  readonly strayMarks: readonly number[]
}

/** Languages of what a person types, and of what is only shown. */
export const TYPED = ['sh', 'bash', 'console', 'sql', 'ts', 'js', 'java', 'python', 'go', 'yaml', 'ini'] as const
export const SHOWN = ['text', 'json', 'mermaid'] as const

export const isTyped = ({ language }: Pick<Block, 'language'>): boolean => TYPED.some((each) => each === language)

const MARK = /^<!-- (not run|run by): ?(.*?) ?-->$/s

export function readPage(path: string, markdown: string): Page {
  const blocks: Block[] = []
  const code: (Code | InlineCode)[] = []
  const strayMarks: number[] = []
  walk(fromMarkdown(markdown), (node, siblings, at) => {
    if (node.type === 'inlineCode' || node.type === 'code') code.push(node)
    const next = siblings[at + 1]
    if (node.type === 'html' && MARK.test(node.value) && next?.type !== 'code') strayMarks.push(lineOf(node))
    if (node.type !== 'code') return
    blocks.push({
      line: lineOf(node),
      language: node.lang ?? '',
      text: node.value,
      mark: markOf(siblings[at - 1]),
      output: next?.type === 'code' && next.lang === 'text' ? next.value : undefined,
    })
  })
  return { path, blocks, strayMarks, code: code.map((node) => ({ line: lineOf(node), text: node.value })) }
}

type Visit = (node: Nodes, siblings: readonly Nodes[], at: number) => void

function walk(node: Nodes, visit: Visit): void {
  if (!('children' in node)) return
  const siblings: readonly Nodes[] = node.children
  siblings.forEach((child, at) => {
    visit(child, siblings, at)
    walk(child, visit)
  })
}

const lineOf = (node: Nodes): number => node.position?.start.line ?? 0

function markOf(node: Nodes | undefined): Mark | undefined {
  const [, kind, text = ''] = (node?.type === 'html' && MARK.exec(node.value)) || []
  return kind === 'not run' || kind === 'run by' ? { kind, text } : undefined
}
