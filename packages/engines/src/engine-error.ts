export const engineErrors = {
  postgres_binaries_missing:
    'There are no PostgreSQL binaries for this platform. Set DATABASE_URL to your own PostgreSQL 18.',
  postgres_user_missing: 'PostgreSQL refuses to run as root, and there is no user "postgres" or "nobody" to run it as.',
  postgres_path_closed:
    'PostgreSQL cannot run as root, and its unprivileged user cannot reach this folder. Move the clone to a folder that other users may enter, or install setpriv (util-linux).',
  postgres_start_failed: 'PostgreSQL did not start.',
  port_busy: 'The port is in use.',
  java_missing: 'Java 17 or newer was not found. Install it, set JAVA_HOME, or set KAFKA_BROKERS to your own Kafka.',
  java_too_old: 'Java is too old: Kafka needs 17 or newer. Install a newer one, or set JAVA_HOME to it.',
  maven_missing:
    "Maven was not found, and Kafka's jars have not been fetched yet. Install Maven (mvn), or set KAFKA_BROKERS.",
  kafka_jars_failed: "Maven could not fetch Kafka's jars. Check the network, then try again.",
  s3_jars_failed: "Maven could not fetch S3Proxy's jars. Check the network, then try again.",
  s3_start_failed: 'S3Proxy did not start.',
  kafka_folder_too_new: 'Kafka cannot read its data folder, because a newer Kafka wrote it.',
  kafka_start_failed: 'Kafka did not start.',
} as const

export type EngineErrorCode = keyof typeof engineErrors

/** Why an engine did not start, as a message for the user. */
export class EngineError extends Error {
  override name = 'EngineError'
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, options?: ErrorOptions & { detail?: string }) {
    super(options?.detail ? `${engineErrors[code]} ${options.detail}` : engineErrors[code], options)
    this.code = code
  }
}
