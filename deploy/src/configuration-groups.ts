/** Variables that belong together, and when one would change each: the order in which docs/configuration.md has them. */
export interface Group {
  title: string
  intro?: string
  /** By variable: when to change it. */
  variables: Readonly<Record<string, string>>
}

/** What the services, the audit and the command line read. Every variable of theirs is in exactly one group. */
export const SERVICE_GROUPS: readonly Group[] = [
  {
    title: 'What a production needs',
    intro:
      'Decide on these ten before the first start. Brokers with TLS or passwords need the Kafka variables of the next section, too.',
    variables: {
      DATABASE_URL: 'Always. Add `?sslmode=verify-full` where the connection leaves the host.',
      KAFKA_BROKERS: 'Always. Name two or three brokers, so that one may be down when a process starts.',
      INSTALLATION_ID:
        'Set it once per installation (`uuidgen`), and never again: transactional ids and event sources are made of it.',
      JWT_SECRET: 'Always (`openssl rand -base64 48`). Rotate it with JWT_SECRET_PREVIOUS.',
      HOST: '`0.0.0.0` in a container, so that others can connect. The ops port listens there too: keep it off the internet.',
      TRUST_PROXY: 'When a load balancer or proxy stands before the API: its address or network.',
      EXPORT_DIR: 'Always. A disk with room for the files of EXPORT_TTL_H.',
      EXPORT_STORE: '`s3` when API and exporter run on different hosts and share no folder.',
      TOPIC_PARTITIONS: 'Before the first start. Growing it later is possible (`topic grow`), shrinking is not.',
      TOPIC_REPLICATION_FACTOR: '`3` on a cluster of three brokers or more: with one copy, a lost disk loses events.',
    },
  },
  {
    title: 'Connect',
    intro: 'Where the services listen, and how they reach PostgreSQL, Kafka and S3.',
    variables: {
      PORT: 'When the port is taken.',
      OPS_PORT: 'When the port is taken, for example by a second replica on the same host.',
      KAFKA_TOPIC: 'Before the first start, when several installations share a cluster.',
      KAFKA_TLS: 'When the brokers ask for TLS, and whenever the connection leaves the host.',
      KAFKA_TLS_CA_FILE: 'When your own authority signed the brokers’ certificates.',
      KAFKA_SASL_MECHANISM: 'When the brokers ask for a password.',
      KAFKA_SASL_USERNAME: 'With KAFKA_SASL_MECHANISM.',
      KAFKA_SASL_PASSWORD: 'With KAFKA_SASL_MECHANISM.',
      EXPORT_S3_BUCKET: 'With EXPORT_STORE=s3: required then.',
      EXPORT_S3_REGION: 'When the bucket is in another region.',
      EXPORT_S3_ENDPOINT: 'With an S3 server that is not AWS.',
      EXPORT_S3_PATH_STYLE: 'With an S3 server that is not AWS, when its host name has no bucket.',
      EXPORT_S3_ACCESS_KEY_ID: 'When the machine has no role of its own that may use the bucket.',
      EXPORT_S3_SECRET_ACCESS_KEY: 'With EXPORT_S3_ACCESS_KEY_ID.',
    },
  },
  {
    title: 'Database roles',
    intro: 'What `streamledger grants` and the migration read, and no service: [roles.md](roles.md).',
    variables: {
      API_DATABASE_URL: 'With a role for each service.',
      RELAY_DATABASE_URL: 'As API_DATABASE_URL.',
      EXPORTER_DATABASE_URL: 'As API_DATABASE_URL.',
      AUDIT_DATABASE_URL: 'With an audit, or to run the commands that only read with a role that can only read.',
    },
  },
  {
    title: 'Security',
    intro:
      'Tokens, passwords and limits for callers. Limits count in each replica. [security.md](security.md) says what they are for.',
    variables: {
      JWT_SECRET_PREVIOUS: 'During a rotation of JWT_SECRET.',
      ACCESS_TOKEN_TTL_S: 'Shorter, when a stolen token must end sooner: access tokens cannot be revoked.',
      REFRESH_TOKEN_TTL_S: 'Shorter, when idle users must log in again sooner.',
      SESSION_TTL_S: 'Shorter, when every user must log in again from time to time.',
      REFRESH_GRACE_MS: 'Longer, when clients on bad networks lose their session at a refresh.',
      PASSWORD_HASHES_MAX: 'More, on a host with more cores where log-ins wait. Each takes a core while it runs.',
      PASSWORD_WAITING_MAX: 'Fewer, to answer 503 sooner when many log in at once.',
      RATE_LIMIT_WINDOW_S: 'Rarely.',
      RATE_LIMIT_ADDRESS_MAX: 'Lower, for a public API; higher, when many users share one address.',
      RATE_LIMIT_USER_MAX: 'Lower, to keep one user from taking a replica.',
      RATE_LIMIT_SIGN_IN_MAX: 'Lower, for a public API; higher, when many users share one address.',
      LOG_IN_FREE_MAX: 'Lower, against guessed passwords.',
      LOG_IN_ACCOUNT_FAILURES_MAX: 'Lower, against guesses from many addresses.',
      LOG_IN_ADDRESS_FAILURES_MAX: 'Higher, when many users share one address.',
      SECURITY_EVENTS_TTL_D: 'To what your rules on personal data demand.',
    },
  },
  {
    title: 'Speed and limits',
    intro:
      'The defaults are those that [performance.md](performance.md) measures. Measure before and after a change (`npm run bench`).',
    variables: {
      DATABASE_POOL_MAX: 'Lower, when all replicas together come near the connections that PostgreSQL allows.',
      POSTING_BATCHES_MAX: 'Rarely: more make smaller commits.',
      POSTING_BATCH_ROWS_MAX: 'Lower, when single commits take too long.',
      POSTING_WAITING_MAX: 'Lower, to refuse sooner instead of answering late.',
      EVENT_LOOP_LAG_MAX_MS: 'Lower, to refuse sooner on an overloaded host.',
      CONNECTIONS_MAX: 'Higher, for more connected clients; raise the limit on open files (`ulimit -n`) first.',
      BODY_BYTES_MAX: 'Rarely: the API’s own requests are small.',
      RELAY_BATCH_ROWS_MAX: 'Lower, for smaller Kafka transactions; higher, to drain a large outbox faster.',
      RELAY_BATCH_BYTES_MAX: 'Lower, when the brokers allow only small messages.',
      RELAY_POLL_MS: 'Higher, to ask PostgreSQL less often at the price of latency.',
      RELAY_POLL_IDLE_MS:
        'Lower, when the first event after a quiet time must be fast; higher, for less load when idle.',
      RELAY_LINGER_MS: '`0`, for the lowest latency, at the price of more transactions for the brokers.',
    },
  },
  {
    title: 'Time-outs',
    intro: 'How long something is waited for, at start, at work and at a stop.',
    variables: {
      DATABASE_START_TIMEOUT_MS: 'Longer, when the database starts after the services.',
      DATABASE_CONNECT_TIMEOUT_MS: 'Shorter, to answer 503 sooner when all connections are busy.',
      DATABASE_LOCK_TIMEOUT_MS: 'Rarely.',
      STATEMENT_TIMEOUT_MS: 'Longer, for a slow database.',
      POSTING_TIMEOUT_MS: 'Shorter, when clients give up sooner. They may repeat the request with the same `trans_id`.',
      QUEUE_TIMEOUT_MS: 'Longer, for a slow database. Shorter, when clients give up sooner.',
      REQUEST_TIMEOUT_MS: 'Longer, for clients on very slow networks.',
      CONNECTION_IDLE_TIMEOUT_MS: 'Longer than the idle time-out of the load balancer before the API.',
      DRAIN_DELAY_MS: 'As long as your load balancer takes to stop sending requests to a replica that is not ready.',
      DRAIN_TIMEOUT_MS: 'Shorter than the time after which your orchestrator kills a process.',
      RELAY_LEASE_MS: 'Longer, when relays lose leases on a busy host; a take-over then takes longer.',
      RELAY_STEP_TIMEOUT_MS: 'Longer, when brokers are slow or far away.',
      RELAY_TRANSACTION_TIMEOUT_MS:
        'With RELAY_STEP_TIMEOUT_MS. The brokers’ `transaction.max.timeout.ms` must allow it.',
      RELAY_RECEIPT_PATIENCE_MS: 'Longer, when brokers take long to load their consumer groups after a restart.',
      RELAY_TOPIC_CHECK_MS: 'Rarely.',
    },
  },
  {
    title: 'Exports',
    variables: {
      EXPORT_CPU_PERCENT: '`100` or `200` where the exporter does not share its cores with the API or PostgreSQL.',
      EXPORTER_CONCURRENCY: 'More, when many small exports wait for a few large ones. All share EXPORT_CPU_PERCENT.',
      EXPORTS_UNFINISHED_MAX: 'Higher, when users order many exports at once.',
      EXPORT_TTL_H: 'Shorter, to save disk or for rules on personal data.',
      EXPORT_URL_TTL_S: 'With EXPORT_STORE=s3: longer, for clients that start the download late.',
      EXPORT_PAGE_ROWS: 'Lower, for less memory.',
      EXPORT_PROGRESS_INTERVAL_MS: 'Rarely.',
      EXPORTER_POLL_INTERVAL_MS: 'Rarely: notifications are faster.',
      EXPORTER_HEARTBEAT_MS: 'With EXPORTER_DEAD_AFTER_MS.',
      EXPORTER_DEAD_AFTER_MS: 'Longer, on hosts that pause processes; exports of a dead exporter then wait longer.',
      EXPORTER_DATABASE_PATIENCE_MS: 'Longer, when a database failover takes longer.',
      EXPORT_S3_PATIENCE_MS: 'Longer, for an unreliable S3.',
    },
  },
  {
    title: 'Observability',
    intro: 'Logs, [traces](tracing.md) and the audit. [Metrics](metrics.md) need no variable but OPS_PORT.',
    variables: {
      LOG_LEVEL: '`debug` to look for a fault, `warn` for less output.',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'To turn traces on.',
      OTEL_EXPORTER_OTLP_HEADERS: 'When the collector asks for a token.',
      OTEL_SERVICE_NAME: 'When two installations send to one collector. Not in an environment that the services share.',
      OTEL_RESOURCE_ATTRIBUTES: 'To tell environments apart.',
      OTEL_TRACES_SAMPLER: '`traceidratio` for a share of all traces.',
      OTEL_TRACES_SAMPLER_ARG: 'With a sampler that takes a share.',
      AUDIT_STATE_FILE: 'Always, for a long topic: a volume that survives a restart.',
      AUDIT_POLL_MS: 'Rarely.',
      AUDIT_SWEEP_MS: 'Higher, for less load on PostgreSQL.',
      AUDIT_GRACE_MS: 'Longer, when events become readable late and the audit calls them missing too soon.',
    },
  },
]

export interface ToolVariable {
  /** What reads it. */
  by: string
  when: string
  /** Of variables that .env.example does not have; the others are described there. */
  description?: string
  default?: string
}

/** What `npm start`, `npm test` and docker-compose.yml read besides. */
export const TOOL_GROUPS: readonly {
  title: string
  intro: string
  variables: Readonly<Record<string, ToolVariable>>
}[] = [
  {
    title: 'Local development: npm start',
    intro:
      '`npm start` reads a `.env` file in the repository, hands every variable above on to the services, and fills in the required ones. DATABASE_URL and KAFKA_BROKERS name engines to use instead of its own. PORT is the port of the first API, OPS_PORT the first ops port; further processes take the next free ones. `npm start -- --help` lists its options.',
    variables: {
      LOCAL_DIR: {
        by: 'npm start, npm run streamledger',
        description:
          'Folder of the local stack: databases, topics, exports, logs. Another folder is another stack. Set it in the shell: `npm run streamledger` does not read `.env`.',
        default: '.local',
        when: 'To run a second stack, or to keep the data elsewhere.',
      },
      STACK: { by: 'npm start', when: '`docker` to run docker-compose.yml instead ([docker.md](docker.md)).' },
      POSTGRES_PORT: { by: 'npm start, docker compose', when: 'When the port is taken.' },
      KAFKA_PORT: { by: 'npm start, docker compose', when: 'When the port is taken.' },
      JAVA_HOME: {
        by: 'npm start, npm test',
        description: 'Java 17 or newer, which runs Kafka. Without it, `java` on the PATH.',
        when: 'When the `java` on the PATH is too old.',
      },
    },
  },
  {
    title: 'Tests: npm test',
    intro: 'Tests set the services’ variables themselves.',
    variables: {
      TEST_ENGINES: {
        by: 'npm test',
        description:
          'Where the tests’ PostgreSQL and Kafka come from: `embedded`, those of `npm start`, or `containers`, POSTGRES_IMAGE and KAFKA_IMAGE.',
        default: '`containers` where Docker answers, else `embedded`',
        when: '`embedded` on a machine with Docker whose images you do not want.',
      },
      TEST_WITHOUT: {
        by: 'npm test, npm run test:crash',
        description:
          'Programs whose tests are left out, separated by commas: `java`, `python`, `prometheus`, `helm`, `patroni`.',
        when: 'When this machine lacks one of them. The last lines of a run say what was left out.',
      },
    },
  },
  {
    title: 'Docker: docker-compose.yml',
    intro: 'Of the stack in [docker.md](docker.md). It hands the services’ variables on to them.',
    variables: {
      POSTGRES_PASSWORD: { by: 'docker compose', when: 'Always, where others can reach the port.' },
      ...Object.fromEntries(
        ['API', 'RELAY', 'EXPORTER', 'AUDIT'].map((service) => [
          `POSTGRES_${service}_PASSWORD`,
          { by: 'docker compose', when: 'Always, before the first start.' },
        ]),
      ),
      POSTGRES_IMAGE: { by: 'docker compose, npm test', when: 'To use another registry or version.' },
      KAFKA_IMAGE: { by: 'docker compose, npm test', when: 'To use another registry or version.' },
      NODE_IMAGE: { by: 'docker compose', when: 'To use another registry.' },
      STREAMLEDGER_IMAGE: { by: 'docker compose', when: 'To name the image for a registry.' },
      PROMETHEUS_PORT: { by: 'docker compose', when: 'When the port is taken.' },
      PROMETHEUS_IMAGE: { by: 'docker compose', when: 'To use another registry or version.' },
      GRAFANA_PORT: { by: 'docker compose', when: 'When the port is taken.' },
      GRAFANA_PASSWORD: { by: 'docker compose', when: 'Always, where others can reach the port.' },
      GRAFANA_IMAGE: { by: 'docker compose', when: 'To use another registry or version.' },
      OTEL_COLLECTOR_IMAGE: { by: 'docker compose', when: 'To use another registry or version.' },
    },
  },
]
