import { mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Screen, takeRunLock } from '@streamledger/engines'
import { countAnswers, subtractCounts } from './count-answers.ts'
import type { FuzzArguments } from './fuzz-arguments.ts'
import { installSchemathesis } from './install-schemathesis.ts'
import { judgeAnswers, listOperations } from './judge-answers.ts'
import { openStack, type Stack } from './open-stack.ts'
import { plantSeeds } from './plant-seeds.ts'
import { describeCounts, type ModeReport } from './render-report.ts'
import { runSchemathesis } from './run-schemathesis.ts'
import { writeConfig } from './write-config.ts'

interface Run {
  readonly args: FuzzArguments
  readonly screen: Screen
  readonly signal: AbortSignal
  readonly python: string
  readonly stack: Stack
}

interface Mode {
  readonly name: string
  readonly token: string | undefined
}

const DIR = resolve(import.meta.dirname, '../../../.local/fuzz')
const CONFIG = join(DIR, 'schemathesis.toml')
const PROGRESS_INTERVAL_MS = 5_000
/** Requests that are made for any number of cases: limits of each schema, invalid tokens, undefined methods. */
const CASES_ALWAYS = 500
const FINDINGS_CHARACTERS_MAX = 20_000
const LOG_TAIL_CHARACTERS = 4_000

export async function runFuzz(args: FuzzArguments, screen: Screen, signal: AbortSignal): Promise<ModeReport[]> {
  mkdirSync(DIR, { recursive: true })
  const lock = await takeRunLock({ dir: DIR, name: 'fuzz', entry: 'tools/fuzz/src/main.ts' })
  try {
    const python = await installSchemathesis(screen.progress, signal)
    await using stack = await openStack({ dir: DIR, lock, signal })
    const seeds = await plantSeeds(stack)
    screen.progress(`the API is up at ${stack.url}; seed ${args.seed}`)
    const run = { args, screen, signal, python, stack }
    const half = seeds.refreshTokens.length / 2
    writeConfig(CONFIG, { ...seeds, refreshTokens: seeds.refreshTokens.slice(0, half) })
    const withToken = await fuzzOnce(run, { name: 'with a token', token: seeds.accessToken })
    writeConfig(CONFIG, { ...seeds, refreshTokens: seeds.refreshTokens.slice(half) })
    const without = await fuzzOnce(run, { name: 'without a token', token: undefined })
    return [withToken, without]
  } finally {
    lock.release()
  }
}

async function fuzzOnce(run: Run, { name, token }: Mode): Promise<ModeReport> {
  const { args, screen, signal, python, stack } = run
  const { url, opsUrl } = stack
  const document = await (await fetch(`${url}/openapi.json`)).json()
  const operations = listOperations(document as Parameters<typeof listOperations>[0])
  const before = await countAnswers(opsUrl)
  const count = async () => subtractCounts(await countAnswers(opsUrl), before)
  const progress = setInterval(() => {
    // A failed scrape is not a finding: the run itself notices if the API has ended.
    void count().then(
      (answers) => screen.progress(`${name}: ${describeCounts(answers)}`),
      () => {},
    )
  }, PROGRESS_INTERVAL_MS)
  const outputFile = join(DIR, `${name.replaceAll(' ', '-')}.txt`)
  const examples = examplesFor(args.cases, operations.length)
  const options = { python, config: CONFIG, url, token, seed: args.seed, examples, dir: DIR, outputFile, signal }
  const code = await runSchemathesis(options).finally(() => clearInterval(progress))
  signal.throwIfAborted()
  stack.throwIfEnded()
  const answers = await count()
  screen.progress(`${name}: done, ${describeCounts(answers)}`)
  const findings = judgeAnswers(answers, { operations, hasToken: token !== undefined })
  if (code !== 0) findings.unshift(`schemathesis ended with ${code}, ${outputFile}:\n${readFindings(outputFile)}`)
  if (findings.length > 0 && stack.readLog() !== '')
    findings.push(`the API's log:\n${stack.readLog().slice(-LOG_TAIL_CHARACTERS)}`)
  return { mode: name, answers, findings }
}

/** The number of random requests per operation, so that the total with CASES_ALWAYS is about `cases`. */
function examplesFor(cases: number, operations: number): number {
  return Math.max(1, Math.round((cases - CASES_ALWAYS) / operations))
}

/** The output from the first finding on; before it is a description of the run. */
function readFindings(outputFile: string): string {
  const text = readFileSync(outputFile, 'utf8')
  const begin = text.search(/^=+ (ERRORS|FAILURES) =+$/m)
  return text.slice(Math.max(0, begin)).slice(0, FINDINGS_CHARACTERS_MAX)
}
