import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'

/** The file with the version of Kafka that last ran on a data folder. */
const VERSION_FILE = 'kafka.version'
/** The version for folders without that file: it was in use before versions were recorded. */
const UNRECORDED = '4.4.0'

/**
 * Refuses a folder that a newer Kafka wrote. An older Kafka cannot read its records, and would fail at its start with a
 * stack trace that does not name the reason.
 */
export function claimKafkaFolder(home: string, logs: string, version: string): void {
  const file = join(home, VERSION_FILE)
  const written = existsSync(file) ? readFileSync(file, 'utf8').trim() : existsSync(logs) ? UNRECORDED : version
  if (releaseOf(written) > releaseOf(version)) {
    throw new EngineError('kafka_folder_too_new', {
      detail: `${home} is from Kafka ${written}, and this is ${version}. To start over, move it away together with the database whose events it has. To keep it, go back to the release that wrote it.`,
    })
  }
  writeFileSync(file, `${version}\n`)
}

/** 4.2.2 as 4002: patch releases have the same format. */
function releaseOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major * 1_000 + minor
}
