// The walks of docs/architecture.md are lists of `file: function`. Checks that each function exists, and that a file on the
// way is imported by one before it, unless the step begins with what starts it ("By its job: ").
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './local-config.ts'

const PAGE = 'docs/architecture.md'
/** A heading like "### One posting (`services/api/src`)" begins a walk. */
const HEADING = /^### [^(]*\(`([^`]+)`\)$/
const STEP = /^\d+\. (By [a-z ]+: )?`([^`:]+): ([^`]+)`/
const STEPS_MAX = 15

interface Step {
  line: number
  path: string
  name: string
  /** Another program runs it: no import leads there. */
  isStart: boolean
}

/** Returns what is wrong, as file:line and the fault. `read` returns the text of a file, or undefined. */
export function checkWalks(text: string, read: (path: string) => string | undefined): string[] {
  return readWalks(text).flatMap(({ line, steps }) => {
    const at = (where: number, fault: string) => `${PAGE}:${where}: ${fault}`
    const long = steps.length > STEPS_MAX ? [at(line, `${steps.length} steps; a walk has ${STEPS_MAX} at most`)] : []
    const seen: string[] = []
    const faults = steps.flatMap((step) => {
      const source = read(step.path)
      if (source === undefined) return [at(step.line, `there is no ${step.path}`)]
      const found = defines(source, step.name) ? [] : [at(step.line, `${step.path} has no ${step.name}`)]
      const before = seen.map((path) => read(path) ?? '')
      const isReached =
        step.isStart || seen.length === 0 || seen.includes(step.path) || before.some((one) => imports(one, step.path))
      seen.push(step.path)
      return isReached ? found : [...found, at(step.line, `no file before it imports ${step.path}`)]
    })
    return [...long, ...faults]
  })
}

function readWalks(text: string): { line: number; steps: Step[] }[] {
  const walks: { line: number; folder: string; steps: Step[] }[] = []
  text.split('\n').forEach((content, index) => {
    const folder = HEADING.exec(content)?.[1]
    if (folder !== undefined) walks.push({ line: index + 1, folder, steps: [] })
    const [, start, file, name] = STEP.exec(content) ?? []
    const walk = walks.at(-1)
    if (walk && file && name)
      walk.steps.push({ line: index + 1, path: join(walk.folder, file), name, isStart: start !== undefined })
  })
  return walks.filter(({ steps }) => steps.length > 0)
}

/** A function, a method, a getter, a class or a constant. */
function defines(source: string, name: string): boolean {
  const escaped = name.replaceAll('#', '\\#')
  return new RegExp(
    `^(export )?(async )?(function\\*?|class|const) ${escaped}\\b|^ +(async |get )?${escaped}\\(`,
    'm',
  ).test(source)
}

/** By file name: two files of one folder do not share one, and the compiler checks the rest of the path. */
function imports(source: string, path: string): boolean {
  return source.includes(`/${path.split('/').at(-1)}'`)
}

if (import.meta.main) {
  const read = (path: string) => (existsSync(join(ROOT, path)) ? readFileSync(join(ROOT, path), 'utf8') : undefined)
  const text = read(PAGE) ?? ''
  const faults = checkWalks(text, read)
  for (const fault of faults) console.error(fault)
  const count = readWalks(text).length
  console.log(`${count} walks, ${faults.length} faults`)
  process.exitCode = faults.length > 0 || count === 0 ? 1 : 0
}
