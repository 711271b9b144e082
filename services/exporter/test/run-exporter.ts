import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLogger } from '@streamledger/runtime'
import { onTestFinished } from 'vitest'
import { loadExporterConfig } from '../src/config.ts'
import { startExporter } from '../src/exporter.ts'

/** A folder for exports that is gone after the test. */
export async function makeExportDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'exports-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** Runs the whole exporter in this process until the test ends, or until it is stopped. */
export async function runExporter(databaseUrl: string, dir: string, env: Record<string, string> = {}) {
  const config = loadExporterConfig({ DATABASE_URL: databaseUrl, EXPORT_DIR: dir, OPS_PORT: '0', ...env })
  const exporter = await startExporter(config, createLogger({ service: 'exporter', level: 'silent' }))
  let stopped: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopped ??= exporter.stop()
    return stopped
  }
  onTestFinished(stop)
  return { stop }
}

/** Pages of one row, each of them reported: an export of a thousand rows has a middle that can be met. */
export const SLOW = { EXPORT_PAGE_ROWS: '1', EXPORT_PROGRESS_INTERVAL_MS: '0' }

/** What is in the folder, or what of it is of one export: exports that earlier tests left unfinished are finished by later ones. */
export async function listFiles(dir: string, exportId = ''): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.startsWith(exportId)).sort()
}
