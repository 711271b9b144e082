import { relative } from 'node:path'
import { styleText } from 'node:util'
import { ROOT } from './local-config.ts'
import type { Stack } from './stack-file.ts'

/** Writes plain lines, which are readable in a pipe or a log too. Colours are used only in a terminal. */
export function createScreen(stream: NodeJS.WriteStream = process.stdout) {
  const startedAt = performance.now()
  stream.on('error', () => {}) // a closed terminal must not crash the stack
  const write = (line: string) => void stream.write(`${line}\n`)
  const elapsed = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`
  return {
    write,
    elapsed,
    /** One step, with the time since the start. */
    progress: (line: string) => write(`${styleText('dim', elapsed().padStart(8), { stream })}  ${line}`),
    warn: (line: string) => write(`${styleText('yellow', '       !', { stream })}  ${line}`),
    strong: (line: string) => write(styleText('bold', line, { stream })),
  }
}

export type Screen = ReturnType<typeof createScreen>

const NO_KAFKA = 'none: no relay runs, and events wait in the outbox until there is a Kafka'

/** Shows the addresses of everything. */
export function showStack(screen: Screen, stack: Stack, localDir: string): void {
  const folder = relative(ROOT, localDir) || '.'
  const [api] = stack.api
  const list = (label: string, entries: readonly string[]) =>
    entries.forEach((entry, at) => {
      screen.write(`  ${(at === 0 ? label : '').padEnd(12)}${entry}`)
    })
  screen.write('')
  screen.strong(`StreamLedger is up after ${screen.elapsed()}.`)
  screen.write('')
  list(
    'API',
    stack.api.map((url) => `${url}/api/v1`),
  )
  if (api) list('Docs', [`${api}/docs`])
  list(
    'Ops',
    stack.ops.map(({ name, url }) => `${url}  ${name}: /health/ready, /metrics`),
  )
  list('PostgreSQL', [withoutPassword(stack.databaseUrl)])
  list('Kafka', [stack.kafkaBrokers ? `${stack.kafkaBrokers}, topic ${stack.topic}` : NO_KAFKA])
  list('Files', [`${folder}/stack.json has these addresses, with the password; ${folder}/logs has the logs`])
  screen.write('')
  if (api) {
    screen.write('  Begin with')
    screen.write(`  curl -s ${api}/api/v1/auth/signup -H 'content-type: application/json' \\`)
    const person = { first_name: 'Ada', last_name: 'Obi', email: 'ada@example.com', password: 'a-quiet-harbour-42' }
    screen.write(`    -d '${JSON.stringify(person)}'`)
    screen.write('')
  }
  screen.write('  Ctrl-C stops everything.')
  screen.write('')
}

/** People copy the text of a terminal, so the password is only in stack.json. */
export function withoutPassword(databaseUrl: string): string {
  try {
    const url = new URL(databaseUrl)
    url.password = ''
    return url.href
  } catch {
    return '(not a URL)'
  }
}
