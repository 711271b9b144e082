import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { loadServiceUrls, parsePostgresUrl } from '@streamledger/runtime'
import pg, { type ClientBase } from 'pg'
import { DatabaseError } from './errors.ts'
import { nameOf } from './judge-role.ts'
import { type Atom, keyOf, listPolicyTables, listPrivileges, SERVICES, type Service } from './privileges.ts'

export interface ServiceRole {
  service: Service
  role: string
  /** For a role that does not exist yet. Empty: unknown. */
  password: string
}

export interface Statement {
  sql: string
  /** The statement without its password. */
  shown: string
}

export interface GrantsPlan {
  /** Each group is one transaction. */
  groups: Statement[][]
  /** Names the roles that can do more than their service needs for a reason that no grant changes: a superuser, for example. */
  warnings: string[]
}

/** Compares what the roles may do with what their services need. A role may have several services. */
export async function planGrants(client: ClientBase, roles: readonly ServiceRole[]): Promise<GrantsPlan> {
  const database = await readDatabase(client)
  const plan: GrantsPlan = { groups: [], warnings: [] }
  const privileges: Statement[] = []
  const policies: Statement[][] = []
  for (const [role, services] of groupByRole(roles)) {
    const found = await readRole(client, role)
    if (!found) privileges.push(createRole(role, roles.find((one) => one.role === role && one.password)?.password))
    const excess = found && describeExcess(found)
    if (excess) plan.warnings.push(`${role} is ${excess}: a service should have a role that is not.`)
    if (found?.owns || found?.rolsuper) continue
    const wanted = listPrivileges(services)
    const actual = found ? await readPrivileges(client, found.oid) : []
    privileges.push(...changePrivileges({ role, database: database.name }, wanted, actual))
    policies.push(...(await changePolicies(client, role, listPolicyTables(services))))
  }
  plan.groups = [privileges, ...policies].filter((group) => group.length > 0)
  return plan
}

/** How long a statement may wait for a lock: others that need the same table wait behind it. */
const LOCK_TIMEOUT_MS = 2_000

/**
 * The privileges are changed in one transaction, so that running services never lack one in between. Each policy is a
 * transaction of its own: its lock on the table is short, and cannot deadlock with a service's locks on several tables.
 */
export async function applyGrants(client: ClientBase, { groups }: GrantsPlan): Promise<void> {
  for (const group of groups) {
    await client.query('begin')
    try {
      await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`)
      for (const { sql } of group) await client.query(sql)
      await client.query('commit')
    } catch (error) {
      await client.query('rollback').catch(() => {}) // fails if the connection itself broke
      throw error
    }
  }
}

/** Key of the advisory lock: any number that no other program uses. */
const GRANTING = 5_214_706_117_331

/**
 * Gives the roles what their services need, and returns what was done. A second call at the same time waits: two that
 * change the privileges on one object at once fail with "tuple concurrently updated".
 */
export async function planAndApply(client: ClientBase, roles: readonly ServiceRole[]): Promise<GrantsPlan> {
  await client.query('select pg_advisory_lock($1)', [GRANTING])
  try {
    const plan = await planGrants(client, roles)
    await applyGrants(client, plan)
    return plan
  } finally {
    await client.query('select pg_advisory_unlock($1)', [GRANTING]).catch(() => {}) // fails if the connection broke
  }
}

/** Connects, and gives the roles what their services need. Returns what was done. */
export async function grantRoles(connectionString: string, roles: readonly ServiceRole[]): Promise<GrantsPlan> {
  const client = new pg.Client({ connectionString, application_name: 'streamledger grants' })
  client.on('error', () => {}) // the next statement fails
  await client.connect()
  try {
    return await planAndApply(client, roles)
  } finally {
    await client.end()
  }
}

/** Creates the roles, or sets their passwords: for a Postgres that this program itself runs. */
export async function renewRoles(client: ClientBase, roles: readonly ServiceRole[]): Promise<void> {
  for (const { role, password } of roles) {
    const found = await client.query('select from pg_roles where rolname = $1', [role])
    const verb = found.rowCount === 0 ? 'create' : 'alter'
    await client.query(`${verb} role ${quote(role)} login password '${verifierOf(password)}'`)
  }
}

/** The services that must have a role. The audit is optional. */
const NEEDED: readonly Service[] = ['api', 'relay', 'exporter']

/** The variable that has the DATABASE_URL of a service, for the programs that grant its role its privileges. */
export const urlVariableOf = (service: Service) =>
  `${service.toUpperCase() as Uppercase<Service>}_DATABASE_URL` as const

/**
 * The roles of the services: those named, and for the others those of the addresses that the services get as
 * DATABASE_URL: API_DATABASE_URL and so on.
 *
 * @throws Error that names what is missing or wrong
 */
export function readServiceRoles(
  env: NodeJS.ProcessEnv,
  named: Partial<Readonly<Record<Service, string>>> = {},
): ServiceRole[] {
  const urls = loadServiceUrls(env)
  return SERVICES.flatMap((service): ServiceRole[] => {
    const role = named[service]
    if (role === '') throw new Error(`The role of the ${service} has no name`)
    if (role) return [{ service, role, password: '' }]
    const name = urlVariableOf(service)
    const text = urls[name]
    if (text === undefined) {
      if (!NEEDED.includes(service)) return []
      throw new Error(`${name} is missing: the DATABASE_URL of the ${service}, whose role gets the privileges`)
    }
    const { username, password } = parsePostgresUrl(text)
    if (username === '') throw new Error(`${name} must name a user, whose role gets the privileges`)
    return [{ service, role: decodeURIComponent(username), password: decodeURIComponent(password) }]
  })
}

function groupByRole(roles: readonly ServiceRole[]): Map<string, Service[]> {
  const services = new Map<string, Service[]>()
  for (const { role, service } of roles) services.set(role, [...(services.get(role) ?? []), service])
  return services
}

async function readDatabase(client: ClientBase): Promise<{ name: string }> {
  const { rows } = await client.query<{ name: string; exists: boolean; owns: boolean; user: string }>(
    `select current_database() as name, current_user as user,
            to_regclass('schema_migrations') is not null and to_regclass('graphile_worker.migrations') is not null as exists,
            (select pg_has_role(relowner, 'usage') from pg_class where oid = to_regclass('schema_migrations')) as owns`,
  )
  const [row] = rows as [(typeof rows)[number]]
  if (row.exists && !row.owns) throw new DatabaseError('not_owner', `DATABASE_URL names ${row.user}.`)
  if (!row.exists) throw new DatabaseError('not_migrated', 'Nothing can be granted yet.')
  return row
}

interface FoundRole {
  oid: number
  rolsuper: boolean
  rolbypassrls: boolean
  owns: boolean
  /** Of the role that owns the tables, also without inheriting what it may do. */
  isMember: boolean
}

async function readRole(client: ClientBase, role: string): Promise<FoundRole | undefined> {
  const { rows } = await client.query<FoundRole>(
    `select oid, rolsuper, rolbypassrls,
            pg_has_role(oid, owner, 'usage') as owns, pg_has_role(oid, owner, 'member') as "isMember"
       from pg_roles,
            (select (select relowner from pg_class where oid = to_regclass('schema_migrations')) as owner) as tables
      where rolname = $1`,
    [role],
  )
  return rows[0]
}

function describeExcess({ rolsuper, owns, isMember, rolbypassrls }: FoundRole): string | undefined {
  if (rolsuper) return 'a superuser'
  if (owns) return 'the owner of the tables'
  if (isMember) return 'a member of the owner of the tables'
  return rolbypassrls ? 'exempt from row security' : undefined
}

// As in GRANT, and in the form of the list: names of the schema `public` without it. Only what belongs to the owner of our
// tables: the privileges on other objects, such as those of an extension, are not ours to change.
const PRIVILEGES_OF = `
  select object, lower(privilege_type) as privilege, "column" from (
    select 'database' as object, a.*, null as "column"
      from pg_database d, aclexplode(d.datacl) a where d.datname = current_database()
    union all
    select 'schema ' || quote_ident(s.nspname), a.*, null from spaces s, aclexplode(s.nspacl) a
    union all
    select case c.relkind when 'S' then 'sequence ' else 'table ' end || s.prefix || quote_ident(c.relname), a.*, null
      from spaces s join pg_class c on c.relnamespace = s.oid and c.relowner = s.owner, aclexplode(c.relacl) a
    union all
    select 'table ' || s.prefix || quote_ident(c.relname), a.*, quote_ident(k.attname)
      from spaces s join pg_class c on c.relnamespace = s.oid and c.relowner = s.owner join pg_attribute k on k.attrelid = c.oid,
           aclexplode(k.attacl) a
    union all
    select 'function ' || s.prefix || quote_ident(p.proname), a.*, null
      from spaces s join pg_proc p on p.pronamespace = s.oid and p.proowner = s.owner, aclexplode(p.proacl) a
  ) all_of_them where grantee = $1`
const SPACES = `
  with spaces as (
    select *, case when nspname = 'public' then '' else quote_ident(nspname) || '.' end as prefix,
           (select relowner from pg_class where oid = to_regclass('schema_migrations')) as owner
      from pg_namespace where nspname in ('public', 'graphile_worker')
  )`

async function readPrivileges(client: ClientBase, role: number): Promise<Atom[]> {
  const { rows } = await client.query<Atom>(`${SPACES} ${PRIVILEGES_OF}`, [role])
  return rows.map(({ object, privilege, column }) => ({ object, privilege, column }))
}

interface Place {
  role: string
  database: string
}

function changePrivileges(place: Place, wanted: readonly Atom[], actual: readonly Atom[]): Statement[] {
  const needed = new Set(wanted.map(keyOf))
  const excess = actual.filter((atom) => !needed.has(keyOf(atom)))
  // Revoking a privilege on a table also revokes it on all of the table's columns.
  const whole = new Set(excess.filter(({ column }) => column === null).map(keyOf))
  const kept = new Set(actual.filter((atom) => !whole.has(keyOf({ ...atom, column: null }))).map(keyOf))
  return [
    ...render('revoke', excess, place),
    ...render('grant', wanted.filter((atom) => !kept.has(keyOf(atom))), place), // biome-ignore format: one line
  ]
}

/** One statement for each object. */
function render(verb: 'grant' | 'revoke', atoms: readonly Atom[], { role, database }: Place): Statement[] {
  return [...Map.groupBy(atoms, ({ object }) => object)].map(([object, ofObject]) => {
    const parts = [...Map.groupBy(ofObject, ({ privilege }) => privilege)].flatMap(([privilege, ones]) => {
      const columns = ones.flatMap(({ column }) => column ?? [])
      const isWhole = ones.some(({ column }) => column === null)
      return [...(isWhole ? [privilege] : []), ...(columns.length > 0 ? [`${privilege} (${columns.join(', ')})`] : [])]
    })
    const [kind] = object.split(' ')
    const name = kind === 'database' ? quote(database) : nameOf({ object })
    const sql = `${verb} ${parts.join(', ')} on ${kind} ${name} ${verb === 'grant' ? 'to' : 'from'} ${quote(role)}`
    return { sql, shown: sql }
  })
}

interface Policy {
  on: string
  is_wanted: boolean
}

async function changePolicies(client: ClientBase, role: string, objects: readonly string[]): Promise<Statement[][]> {
  const name = policyOf(role)
  const { rows } = await client.query<Policy>(
    `select schemaname || '.' || tablename as on,
            permissive = 'PERMISSIVE' and cmd = 'ALL' and qual = 'true' and with_check = 'true' and roles = array[$1::name] as is_wanted
       from pg_policies where schemaname = 'graphile_worker' and policyname = $2`,
    [role, name],
  )
  const tables = objects.map((object) => nameOf({ object }))
  const drop = rows
    .filter(({ on, is_wanted }) => !is_wanted || !tables.includes(on))
    .map(({ on }) => ({ on, sql: `drop policy ${quote(name)} on ${on}` }))
  const kept = new Set(rows.filter(({ is_wanted }) => is_wanted).map(({ on }) => on))
  const create = tables
    .filter((on) => !kept.has(on))
    .map((on) => ({
      on,
      sql: `create policy ${quote(name)} on ${on} to ${quote(role)} using (true) with check (true)`,
    }))
  const groups = Map.groupBy([...drop, ...create], ({ on }) => on)
  return [...groups.values()].map((group) => group.map(({ sql }) => ({ sql, shown: sql })))
}

const IDENTIFIER_BYTES_MAX = 63

/** Postgres would cut a longer name, and the names of two roles could become one. */
function policyOf(role: string): string {
  const name = `streamledger_${role}`
  if (Buffer.byteLength(name) <= IDENTIFIER_BYTES_MAX) return name
  return `streamledger_${createHash('sha256').update(role).digest('hex').slice(0, 40)}`
}

function createRole(role: string, password = ''): Statement {
  if (password === '') {
    const text = `Create it (create role ${quote(role)} login password '…'), or give an address with a password.`
    throw new DatabaseError('role_missing', `It is ${role}. ${text}`)
  }
  const sql = `create role ${quote(role)} login password`
  return { sql: `${sql} '${verifierOf(password)}'`, shown: `${sql} '…'` }
}

const ITERATIONS = 4096

/** What Postgres stores of a password (RFC 5803). The password itself would be in its log, if it logs statements. */
function verifierOf(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(prepare(password), salt, ITERATIONS, 32, 'sha256')
  const sign = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const storedKey = createHash('sha256').update(sign('Client Key')).digest('base64')
  const serverKey = sign('Server Key').toString('base64')
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${serverKey}`
}

const IGNORED_IN_PASSWORDS = /\u00AD|\u034F|\u1806|[\u180B-\u180D]|\u200C|\u200D|\u2060|[\uFE00-\uFE0F]|\uFEFF/g

/** SASLprep (RFC 4013), as the clients of Postgres prepare a password. */
function prepare(password: string): string {
  const spaced = password.replace(/[\u00A0\u1680\u2000-\u200B\u202F\u205F\u3000]/g, ' ')
  return spaced.replace(IGNORED_IN_PASSWORDS, '').normalize('NFKC')
}

const quote = pg.escapeIdentifier
