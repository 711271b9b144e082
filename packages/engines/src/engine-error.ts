export const engineErrors = {
  postgres_binaries_missing:
    'There are no PostgreSQL binaries for this platform. Set DATABASE_URL to a PostgreSQL 18 of your own.',
  postgres_user_missing:
    'PostgreSQL refuses to run as root, and neither a user "postgres" nor "nobody" exists to run it as.',
  postgres_path_closed:
    'PostgreSQL cannot run as root, and its unprivileged user cannot reach this folder. Move the clone to a folder that others may enter, or install setpriv (util-linux).',
  postgres_start_failed: 'PostgreSQL did not start.',
  port_busy: 'The port is in use.',
  java_missing:
    'Java 17 or newer was not found. Install it, or set JAVA_HOME, or set KAFKA_BROKERS to a Kafka of your own.',
  java_too_old: 'Java is too old: Kafka needs 17 or newer. Install one, or set JAVA_HOME to it.',
  maven_missing:
    "Maven was not found, and Kafka's jars have not been fetched yet. Install Maven (mvn), or set KAFKA_BROKERS.",
  kafka_jars_failed: "Maven could not fetch Kafka's jars. Check the network, then try again.",
  s3_jars_failed: "Maven could not fetch S3Proxy's jars. Check the network, then try again.",
  s3_start_failed: 'S3Proxy did not start.',
  kafka_folder_too_new: 'Kafka cannot read its data folder, which a newer Kafka wrote.',
  kafka_start_failed: 'Kafka did not start.',
} as const

export type EngineErrorCode = keyof typeof engineErrors

/** What kept an engine from starting, in words for the person at the terminal. */
export class EngineError extends Error {
  override name = 'EngineError'
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, options?: ErrorOptions & { detail?: string }) {
    super(options?.detail ? `${engineErrors[code]} ${options.detail}` : engineErrors[code], options)
    this.code = code
  }
}
