import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signalProcess } from '@streamledger/engines'
import { expect, LEFT_OUT, pickAmbientEnv } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { ROOT } from '../src/local-config.ts'
import { type Block, isTyped, type Page } from '../src/read-blocks.ts'

// Runs a page's blocks as its reader does: one after another, in one shell.

/** A page may fetch what an example in another language needs. */
const TIMEOUT_MS = 600_000
/** The ports that pages name, by the variable that changes them: they are replaced by those of the stack under test. */
const DOCUMENTED_PORTS = { PORT: 3000, POSTGRES_PORT: 15_432, KAFKA_PORT: 19_092 } as const
const RUN_SQL = join(ROOT, 'tools', 'local', 'test', 'run-sql-main.ts')
const CLIENT = join(ROOT, 'packages', 'client', 'src', 'index.ts')
/** Stays out of the folder: a stack of its own, and settings of this machine. */
const NOT_LINKED = ['.local', '.env', '.git']

export interface SessionOptions {
  /** The variables of the stack: LOCAL_DIR and its ports. */
  readonly env: Readonly<Record<string, string>>
  /** A command that keeps running, and that the test has run already. */
  readonly started?: string
}

export interface Session {
  /** What a block has written, found by a piece of its text. */
  outputOf(piece: string): string
  /** Where it ran. */
  readonly folder: string
}

/** Runs every block of the page that has no mark, and holds each to the output that the page shows after it. */
export async function runSession(page: Page, { env, started }: SessionOptions): Promise<Session> {
  const isRun = (block: Block) => isTyped(block) && !block.mark && block.text.trim() !== started && !isLeftOut(block)
  const blocks = page.blocks.filter(isRun)
  expect(blocks.length, `blocks of ${page.path}`).toBeGreaterThan(0)
  const folder = makeFolder(env.LOCAL_DIR ?? '')
  const script = ['set -eo pipefail', ...blocks.flatMap((block, at) => toScript(block, { at, env }))].join('\n')
  const scriptFile = join(folder, '.session.sh')
  writeFileSync(scriptFile, `${script}\n`)
  const { code, output } = await runBash(scriptFile, folder, env)
  const outputs = blocks.map((_, at) => cutOut(output, at))
  for (const [at, { line, text, output: wanted }] of blocks.entries()) {
    const found = outputs[at]
    if (found === undefined || !found.ended)
      throw new Error(
        `${page.path}:${line} failed (exit code ${code}):\n${text}\n\nit wrote:\n${found?.text ?? '(never begun)'}`,
      )
    if (wanted !== undefined) expectOutput(found.text, wanted, `${page.path}:${line}`)
  }
  const outputOf = (piece: string) => {
    const at = blocks.findIndex(({ text }) => text.includes(piece))
    return outputs[at]?.text ?? ''
  }
  return { folder, outputOf }
}

/** What TEST_WITHOUT leaves out, by a program of its. */
const PROGRAMS: Readonly<Record<string, RegExp>> = { python: /^python3 /m, java: /^mvn /m }

const isLeftOut = ({ text }: Block): boolean => LEFT_OUT.some((name) => PROGRAMS[name]?.test(text))

/** A folder with all that is in the repository, so that what the blocks write does not end up there. */
function makeFolder(localDir: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'session-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of readdirSync(ROOT))
    if (!NOT_LINKED.includes(name)) symlinkSync(join(ROOT, name), join(folder, name))
  symlinkSync(localDir, join(folder, '.local'))
  return folder
}

type Place = { at: number; env: SessionOptions['env'] }

function toScript({ language, text }: Block, { at, env }: Place): string[] {
  const typed = replacePorts(text, env)
  return [`echo; echo '@@ begin ${at}'`, ...toCommands(language, typed, at), `echo; echo '@@ end ${at}'`]
}

function toCommands(language: string, text: string, at: number): string[] {
  const node = `'${process.execPath}' --disable-warning=ExperimentalWarning`
  if (language === 'sql') return [`${node} '${RUN_SQL}' <<'END_OF_BLOCK'`, text, 'END_OF_BLOCK']
  if (language !== 'ts') return [text]
  const program = text.includes('import ')
    ? text.replaceAll("'@streamledger/client'", `'${CLIENT}'`)
    : `import { createLedgerClient } from '${CLIENT}'\n${text}`
  return [`cat > block-${at}.ts <<'END_OF_BLOCK'`, program, 'END_OF_BLOCK', `${node} block-${at}.ts`]
}

export function replacePorts(text: string, env: SessionOptions['env']): string {
  return Object.entries(DOCUMENTED_PORTS).reduce(
    (changed, [name, port]) => changed.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${env[name] ?? port}`),
    text,
  )
}

async function runBash(script: string, folder: string, env: SessionOptions['env']) {
  const { HOME = '' } = process.env
  // The examples look for Kafka on the documented port.
  const brokers = env.KAFKA_BROKERS ?? `127.0.0.1:${env.KAFKA_PORT}`
  const child = spawn('bash', [script], {
    cwd: folder,
    env: { ...pickAmbientEnv(), HOME, ...env, KAFKA_BROKERS: brokers },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  const kill = () => signalProcess(-(child.pid as number), 'SIGKILL')
  const late = setTimeout(kill, TIMEOUT_MS)
  onTestFinished(kill)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(late)
  return { code, output }
}

function cutOut(output: string, at: number): { text: string; ended: boolean } | undefined {
  const [, rest] = output.split(`@@ begin ${at}\n`)
  if (rest === undefined) return undefined
  const [text = '', after] = rest.split(`@@ end ${at}\n`)
  return { text, ended: after !== undefined }
}

/**
 * Every line that the page shows is in the output, in this order; other lines may be between them. A line that ends in `…` is the
 * beginning of one. Ids, times, ports, partitions and offsets may differ, and so may the width of columns.
 */
export function expectOutput(output: string, shown: string, where: string): void {
  const lines = output.split('\n').map(mask)
  let from = 0
  for (const line of shown.split('\n').map(mask)) {
    if (line === '' || line === '…') continue
    const isIt = line.endsWith('…')
      ? (each: string) => each.startsWith(line.slice(0, -1).trim())
      : (each: string) => each === line
    const at = lines.findIndex((each, index) => index >= from && isIt(each))
    if (at === -1)
      throw new Error(`${where} shows a line that was not written:\n${line}\n\nthese were:\n${lines.join('\n')}`)
    from = at + 1
  }
}

function mask(line: string): string {
  return line
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/\b(partition|offset) +\d+/g, '$1 <n>')
    .replaceAll(/"(\w+_id)":\d+/g, '"$1":<n>')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:<port>')
    .replaceAll(/\s+/g, ' ')
    .trim()
}
