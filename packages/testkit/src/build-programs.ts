import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Plugin, rolldown } from 'rolldown'
import { bundleOf, PROGRAMS, PROGRAMS_VARIABLE } from './find-program.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const PROGRAMS_DIR = join(ROOT, '.local', 'programs')
const SOURCES = ['pnpm-lock.yaml', '{services/*,packages/*,cli,db}/{package.json,src/**/*.ts}']
/** argon2, lz4-napi and snappy look for their binaries beside their own files. Tests patch pg and kafkajs in the process, which takes the one copy of each. */
const NOT_BUNDLED = new Set(['argon2', 'kafkajs', 'lz4-napi', 'pg', 'snappy'])

/**
 * Bundles the programs that tests start, each with its dependencies in a few files, and makes `findProgram` find them.
 * A service that loads a thousand modules one by one starts with two and a half times the processor time.
 */
export async function buildPrograms(): Promise<void> {
  const dir = join(PROGRAMS_DIR, digestOf(globSync(SOURCES, { cwd: ROOT }).sort()))
  if (!existsSync(dir)) {
    rmSync(PROGRAMS_DIR, { recursive: true, force: true })
    mkdirSync(PROGRAMS_DIR, { recursive: true })
    const draft = `${dir}.${process.pid}`
    await bundle(draft)
    // Another run may have built the same meanwhile.
    if (!existsSync(dir)) renameSync(draft, dir)
  }
  process.env[PROGRAMS_VARIABLE] = dir
}

function digestOf(files: readonly string[]): string {
  const digest = createHash('sha256')
  for (const file of files) digest.update(`\n${file}\n`).update(readFileSync(join(ROOT, file)))
  return digest.digest('hex').slice(0, 16)
}

async function bundle(dir: string): Promise<void> {
  await using build = await rolldown({
    input: Object.fromEntries(PROGRAMS.map((entry) => [entry, join(ROOT, entry)])),
    platform: 'node',
    treeshake: false,
    plugins: [leaveWhereTheyAre],
    onLog: (level, log, defaultHandler) => {
      // Of dependencies alone, which are run as they are without a bundle.
      if (level === 'warn') return
      defaultHandler(level, log)
    },
  })
  await build.write({
    dir,
    format: 'esm',
    entryFileNames: ({ name }) => bundleOf(name),
    chunkFileNames: 'chunks/[hash].mjs',
  })
}

/** A module in a bundle still finds the files that stand beside its source. */
const leaveWhereTheyAre: Plugin = {
  name: 'leave-where-they-are',
  async resolveId(source, importer, options) {
    const name = source.split('/').slice(0, source.startsWith('@') ? 2 : 1)
    if (!NOT_BUNDLED.has(name.join('/'))) return undefined
    const resolved = await this.resolve(source, importer, { ...options, skipSelf: true })
    return resolved && { id: pathToFileURL(resolved.id).href, external: true }
  },
  transform(code, id) {
    if (!/\bimport\.meta\.|\b__(?:dirname|filename)\b/.test(code)) return undefined
    const text = (value: string) => JSON.stringify(value)
    const placed = code
      .replaceAll(/\bimport\.meta\.url\b/g, text(pathToFileURL(id).href))
      .replaceAll(/\bimport\.meta\.dirname\b/g, text(dirname(id)))
      .replaceAll(/\bimport\.meta\.filename\b/g, text(id))
    const isCommonJs = /\b__(?:dirname|filename)\b/.test(placed) && !/\b(?:const|let|var)\s+__/.test(placed)
    const prefix = isCommonJs ? `var __dirname = ${text(dirname(id))}, __filename = ${text(id)}; ` : ''
    return { code: prefix + placed, map: null }
  },
}
