/** What has a database role of its own. `audit` only reads: it is also for `verify`, `reconcile` and `outbox status`. */
export const SERVICES = ['api', 'relay', 'exporter', 'audit'] as const
export type Service = (typeof SERVICES)[number]

/**
 * What one service may do, as GRANT has it: by object, `select, update (column, …)`. Tables without a schema are in
 * `public`. A function that a trigger calls directly needs no privilege; one that such a function calls does.
 */
type Privileges = Readonly<Record<string, string>>

/** Every program reads which migrations are applied. */
const EVERY: Privileges = {
  database: 'connect',
  'schema public': 'usage',
  'table schema_migrations': 'select',
}

/** API and relay claim an empty database, whichever starts first. The timeline's default is a function. */
const CLAIM: Privileges = {
  'table relay_partitions': 'insert (partition)',
  'table topic': 'select, insert (event_source, name, partitions)',
  'function current_timeline': 'execute',
}

const JOBS = 'graphile_worker._private_jobs'

/** Adding a job, as graphile_worker.add_jobs() does it: with the privileges of its caller. */
const ADD_JOBS: Privileges = {
  'schema graphile_worker': 'usage',
  'table graphile_worker.migrations': 'select',
  'table graphile_worker._private_tasks': 'select, insert (identifier)',
  'function graphile_worker.add_job': 'execute',
  'function graphile_worker.add_jobs': 'execute',
}

const ADDED_JOB = 'flags, job_queue_id, key, max_attempts, payload, priority, run_at, task_id'
const REPLACED_JOB = `attempts, ${ADDED_JOB}, last_error, revision, updated_at`

/**
 * The one list of what each service needs. `streamledger grants` makes the catalog equal to it, docs/roles.md shows it,
 * and a service compares itself with it at its start. The release before must go on working beside this one, so a
 * privilege leaves this list one release after the code that needs it.
 */
export const PRIVILEGES: Readonly<Record<Service, Privileges>> = {
  api: {
    ...EVERY,
    ...CLAIM,
    'table installation': 'select, insert (id, system_identifier), update (timeline)',
    'table users': 'select, insert (email, first_name, last_name, password), update (password)',
    'table wallets': 'select, insert (user_id), update (balance, sequence, updated_at, version)',
    'table sessions': 'select, insert (id, revoked_at, user_id), update (revoked_at), delete',
    'table refresh_tokens': 'select, insert (expires_at, hash, session_id, used_at), update (used_at), delete',
    'table log_in_counts':
      'select, insert (account, counts_until, failures, known_until, network), update (counts_until, failures, known_until, waits_until), delete',
    'table security_events': 'insert (address, kind, request_id, subject, user_agent, user_id)',
    'table transactions': 'select, insert',
    'table refusals': 'select, insert',
    'table outbox': 'insert (headers, key, partition, payload)',
    'table exports':
      'select, insert (as_of_sequence, created_at, entry, from_at, idempotency_key, to_at, wallet_id), update (finished_at, status), delete',
    'sequence outbox_ids': 'usage',
    // After a change of the timeline, keep_ids_apart() sets these three, and each sign-up and posting calls it.
    'sequence transactions_id_seq': 'update',
    'sequence users_id_seq': 'update',
    'sequence wallets_id_seq': 'update',
    'function keep_ids_apart': 'execute',
    'function sequence_before': 'execute',
    ...ADD_JOBS,
    'table graphile_worker._private_job_queues': 'select, insert (queue_name)',
    [`table ${JOBS}`]: `select, insert (${ADDED_JOB}), update (${REPLACED_JOB})`,
  },
  relay: {
    ...EVERY,
    ...CLAIM,
    'table installation': 'select, insert (id, system_identifier)',
    'table topic': `${CLAIM['table topic']}, update (kafka_cluster_id, kafka_topic_id)`,
    'table outbox': 'select, delete',
    'table relay_instances': 'select, insert (failing_since, id), update (failing_since, heartbeat_at), delete',
    'table relay_partitions': `select, insert (partition), update (${[
      ...['batch_id', 'batch_last_id', 'batch_rows', 'batch_seq', 'batch_snapshot', 'floor_id', 'floor_next_id'],
      ...['floor_next_xid', 'halted_at', 'halted_reason', 'lease_expires_at', 'lease_owner', 'lease_token'],
      ...['next_offset', 'receipt_at', 'resolved_end'],
    ].join(', ')})`,
    'sequence outbox_ids': 'select',
  },
  exporter: {
    ...EVERY,
    'table exporter_pools': 'select, insert (id), update (heartbeat_at), delete',
    'table exports':
      'select, update (attempt, error, expires_at, file, finished_at, rows_done, rows_total, sha256, size, started_at, status)',
    'table security_events': 'select (created_at, id), delete',
    'table transactions': 'select',
    // For the workbook's Summary. Not the passwords, not the addresses of mail.
    'table users': 'select (first_name, id, last_name)',
    'table wallets': 'select (currency, id, user_id)',
    'function sequence_before': 'execute',
    ...ADD_JOBS,
    'table graphile_worker.jobs': 'select',
    'table graphile_worker._private_job_queues': 'select, insert (queue_name), update (locked_at, locked_by)',
    'table graphile_worker._private_known_crontabs':
      'select, insert (identifier, known_since, last_execution), update (last_execution)',
    [`table ${JOBS}`]: `select, insert (${ADDED_JOB}), update (${REPLACED_JOB}, locked_at, locked_by), delete`,
    'function graphile_worker.complete_jobs': 'execute',
    'function graphile_worker.force_unlock_workers': 'execute',
    'function graphile_worker.reschedule_jobs': 'execute',
  },
  audit: {
    database: 'connect',
    'schema public': 'usage',
    'table cluster_adoptions': 'select',
    'table event_sources': 'select',
    'table exports': 'select',
    'table installation': 'select',
    'table orphaned_events': 'select',
    'table outbox': 'select',
    'table refusals': 'select',
    'table relay_instances': 'select',
    'table relay_partitions': 'select',
    'table topic': 'select',
    'table transactions': 'select',
    'table wallets': 'select',
    'sequence outbox_ids': 'select',
    'function sequence_before': 'execute',
  },
}

/** One privilege on one object, or on one column of it. */
export interface Atom {
  object: string
  privilege: string
  column: string | null
}

/** `select, update (a, b)` as its parts. */
export function parsePrivileges(object: string, text: string): Atom[] {
  return [...text.matchAll(/(\w+)(?: \(([^)]*)\))?(?:, )?/g)].flatMap(([, privilege = '', columns]): Atom[] =>
    columns === undefined
      ? [{ object, privilege, column: null }]
      : columns.split(', ').map((column) => ({ object, privilege, column })),
  )
}

/** What all of these services need together. */
export function listPrivileges(services: readonly Service[]): Atom[] {
  const atoms = services.flatMap((service) =>
    Object.entries(PRIVILEGES[service]).flatMap(([object, text]) => parsePrivileges(object, text)),
  )
  return [...new Map(atoms.map((atom) => [keyOf(atom), atom])).values()]
}

export function keyOf({ object, privilege, column }: Atom): string {
  return `${object} ${privilege} ${column ?? ''}`
}

/** The tables of the job queue that hide their rows from all but their owner, unless a policy shows them. */
export function listPolicyTables(services: readonly Service[]): string[] {
  const tables = services.flatMap((service) => Object.keys(PRIVILEGES[service]))
  return [...new Set(tables)].filter((object) => object.startsWith('table graphile_worker._private_')).sort()
}

/** A table in Markdown of the services' privileges. */
export function renderPrivileges(): string {
  const objects = [...new Set(SERVICES.flatMap((service) => Object.keys(PRIVILEGES[service])))].sort()
  const rows = objects.map((object) => {
    const cells = SERVICES.map((service) => PRIVILEGES[service][object] ?? '')
    return `| ${object} | ${cells.join(' | ')} |`
  })
  return [`| | ${SERVICES.join(' | ')} |`, `|---|${SERVICES.map(() => '---|').join('')}`, ...rows].join('\n')
}
