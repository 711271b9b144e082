import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'

/** Which Kafka ran on a data folder last. */
const VERSION_FILE = 'kafka.version'
/** A folder that nothing is recorded in: until versions were recorded, this was the Kafka that was started. */
const UNRECORDED = '4.4.0'

/**
 * Refuses a folder that a newer Kafka wrote. An older one does not know its records and gives up in the middle of its
 * start, with a stack trace that names none of this.
 */
export function claimKafkaFolder(home: string, logs: string, version: string): void {
  const file = join(home, VERSION_FILE)
  const written = existsSync(file) ? readFileSync(file, 'utf8').trim() : existsSync(logs) ? UNRECORDED : version
  if (releaseOf(written) > releaseOf(version)) {
    throw new EngineError('kafka_folder_too_new', {
      detail: `${home} is of Kafka ${written}, and this is ${version}. To begin anew, move it away together with the database whose events it holds; to keep it, go back to the release that wrote it.`,
    })
  }
  writeFileSync(file, `${version}\n`)
}

/** 4.2.2 as 4002: a patch release reads and writes what its release does. */
function releaseOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major * 1_000 + minor
}
