import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { LEFT_OUT } from '@streamledger/testkit'

const run = promisify(execFile)
const FOLDER = resolve(import.meta.dirname, '../../.local/prometheus')
const HINT = 'Prometheus is missing: install it (Debian: prometheus), or leave it out with TEST_WITHOUT=prometheus'
const FETCH_DEADLINE_MS = 300_000
/** Whether this machine is to have a Prometheus: for files of which only a part is about it; vitest.config.ts knows the others. */
export const hasPrometheus = !LEFT_OUT.includes('prometheus')

export interface PrometheusTools {
  prometheus: string
  promtool: string
}

/**
 * The programs of Prometheus: those that are installed, or what Debian's package has in it, fetched once into .local. Nothing
 * is installed, so no service is started and root is not needed, as long as apt has its lists.
 *
 * @throws Error, one line, that says what this machine lacks.
 */
export async function preparePrometheus(): Promise<PrometheusTools> {
  const installed = { prometheus: 'prometheus', promtool: 'promtool' }
  if (await answers(installed)) return installed
  const fetched = { prometheus: join(FOLDER, 'usr/bin/prometheus'), promtool: join(FOLDER, 'usr/bin/promtool') }
  if (!existsSync(FOLDER)) await fetchPackage()
  if (await answers(fetched)) return fetched
  throw new Error(HINT)
}

function answers({ prometheus, promtool }: PrometheusTools): Promise<boolean> {
  const ask = [prometheus, promtool].map((program) => run(program, ['--version']))
  return Promise.all(ask).then(
    () => true,
    () => false,
  )
}

/** A folder under its final name is complete: it is made as a draft, and the rename is atomic. */
async function fetchPackage(): Promise<void> {
  mkdirSync(dirname(FOLDER), { recursive: true })
  const draft = mkdtempSync(`${FOLDER}.draft-`)
  const options = { cwd: draft, timeout: FETCH_DEADLINE_MS }
  try {
    console.log("fetching Debian's package of Prometheus, 19 MB, once")
    await run('apt-get', ['download', 'prometheus'], options).catch(async () => {
      // A machine that is new has no lists yet.
      await run('apt-get', ['update'], options)
      await run('apt-get', ['download', 'prometheus'], options)
    })
    const [file = ''] = readdirSync(draft)
    await run('dpkg-deb', ['--extract', file, '.'], options)
    rmSync(join(draft, file))
    publish(draft)
  } catch (cause) {
    throw new Error(`${HINT} (${cause instanceof Error ? cause.message.split('\n', 1)[0] : cause})`, { cause })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function publish(draft: string): void {
  try {
    renameSync(draft, FOLDER)
  } catch (error) {
    if (!existsSync(FOLDER)) throw error // otherwise another test was faster, with the same package
  }
}
