import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type FetchJarsOptions, fetchJars } from './fetch-jars.ts'

const POM = resolve(import.meta.dirname, '../kafka/pom.xml')

/** The version of Kafka that this package starts. */
export function kafkaVersion(pom = readFileSync(POM, 'utf8')): string {
  const version = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)</.exec(pom)?.[1]
  if (!version) throw new Error(`${POM} names no version of Kafka`)
  return version
}

/** The folder with Kafka's jars. */
export async function fetchKafkaJars(options: FetchJarsOptions = {}): Promise<string> {
  const version = kafkaVersion()
  const set = { name: `kafka-${version}`, label: `Kafka ${version}, 43 MB,`, pom: POM } as const
  return fetchJars({ ...set, failure: 'kafka_jars_failed' }, options)
}
