import { divideRoles, expect, test } from '@streamledger/testkit'
import pg from 'pg'
import { applyGrants, grantRoles, planGrants, type ServiceRole } from '../src/grants.ts'
import { migrate } from '../src/migrate.ts'
import { prepareDatabase } from '../src/prepare-database.ts'
import { listPrivileges, SERVICES, type Service } from '../src/privileges.ts'

// Each database is hardened: PUBLIC has nothing, so a role has only what is granted to it.

const roleOf = (url: string): string => new URL(url).username

async function withClient<T>(connectionString: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  return use(client).finally(() => client.end())
}

/** All that a role can do in both schemas, by asking Postgres about each object, each column and each privilege. */
const CAN = `
  with spaces as (
    select *, case when nspname = 'public' then '' else nspname || '.' end as prefix
      from pg_namespace where nspname in ('public', 'graphile_worker')
  ), objects as (
    select s.oid as space, c.oid, c.relkind, s.prefix || c.relname as name
      from spaces s join pg_class c on c.relnamespace = s.oid where c.relkind in ('r', 'v', 'S')
  ), verbs (verb) as (
    values ('select'), ('insert'), ('update'), ('delete'), ('truncate'), ('references'), ('trigger'), ('maintain')
  )
  select 'database' as object, verb as privilege, null as "column" from (values ('connect'), ('create'), ('temporary')) v (verb)
   where has_database_privilege($1, current_database(), verb)
  union all
  select 'schema ' || nspname, verb, null from spaces, (values ('usage'), ('create')) v (verb)
   where has_schema_privilege($1, oid, verb)
  union all
  select 'sequence ' || name, verb, null from objects, (values ('usage'), ('select'), ('update')) v (verb)
   where relkind = 'S' and has_sequence_privilege($1, oid, verb)
  union all
  select 'table ' || name, verb, null from objects, verbs where relkind <> 'S' and has_table_privilege($1, oid, verb)
  union all
  select 'table ' || name, verb, attname from objects join pg_attribute on attrelid = oid, verbs
   where relkind <> 'S' and attnum > 0 and not attisdropped and verb in ('select', 'insert', 'update', 'references')
     and has_column_privilege($1, oid, attnum, verb) and not has_table_privilege($1, oid, verb)
  union all
  select 'function ' || prefix || proname, 'execute', null from spaces s join pg_proc p on p.pronamespace = s.oid
   where has_function_privilege($1, p.oid, 'execute')`

test('each role can do what the list says, and nothing else', async ({ createDatabase }) => {
  const { url, pool } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  for (const service of SERVICES) {
    const { rows } = await pool.query(CAN, [roleOf(urls[service])])
    const line = ({ object, privilege, column }: (typeof rows)[number]) => `${object}: ${privilege} ${column ?? ''}`
    expect({ service, can: rows.map(line).sort() }).toEqual({
      service,
      can: listPrivileges([service]).map(line).sort(),
    })
  }
})

test('only what belongs to the owner of the tables is changed, whatever its name', async ({ createDatabase }) => {
  const { url, pool } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const role = roleOf(urls.relay)
  await pool.query(`create function digest (int) returns int language sql as 'select 1';
    create function digest (text) returns int language sql as 'select 1';
    grant execute on all functions in schema public to ${role}`)
  await withClient(urls.owner, async (client) => {
    await client.query(`create table "my table" (id int); grant select on "my table" to ${role}`)
    const plan = await planGrants(client, [{ service: 'relay', role, password: '' }])
    const statements = plan.groups.flat().map(({ sql }) => sql)
    expect(statements).toContain(`revoke select on table public."my table" from "${role}"`)
    expect(statements.filter((sql) => sql.includes('digest'))).toEqual([])
    await applyGrants(client, plan)
    expect(await planGrants(client, [{ service: 'relay', role, password: '' }])).toEqual({ groups: [], warnings: [] })
  })
})

test('two roles with long names that begin alike have policies of their own', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const names = ['1', '2'].map((end) => `${'x'.repeat(55)}${end}`)
  await withClient(urls.owner, async (client) => {
    const roles = names.map((role) => ({ service: 'exporter' as const, role, password: 'for a test' }))
    await applyGrants(client, await planGrants(client, roles))
    expect(await planGrants(client, roles)).toEqual({ groups: [], warnings: [] })
  })
})

test('a second run finds nothing to do; what is missing or too much is shown first, and mended', async ({
  createDatabase,
}) => {
  const { url, pool } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const roles = SERVICES.map((service) => ({ service, role: roleOf(urls[service]), password: '' }))
  await withClient(urls.owner, async (client) => {
    expect(await planGrants(client, roles)).toEqual({ groups: [], warnings: [] })
    const [api, exporter] = [roleOf(urls.api), roleOf(urls.exporter)]
    await client.query(`grant delete on transactions to ${api}; revoke insert on refusals from ${api}`)
    await client.query(`grant select on users to ${exporter}`)
    await client.query(`drop policy streamledger_${exporter} on graphile_worker._private_tasks`)
    await client.query(
      `create policy streamledger_${exporter} on graphile_worker._private_tasks to ${exporter} using (false)`,
    )
    const plan = await planGrants(client, roles)
    expect(plan.groups.flat().map(({ sql }) => sql)).toEqual([
      `revoke delete on table public.transactions from "${api}"`,
      `grant insert on table public.refusals to "${api}"`,
      `revoke select on table public.users from "${exporter}"`,
      `grant select (first_name, id, last_name) on table public.users to "${exporter}"`,
      `drop policy "streamledger_${exporter}" on graphile_worker._private_tasks`,
      `create policy "streamledger_${exporter}" on graphile_worker._private_tasks to "${exporter}" using (true) with check (true)`,
    ])
    await applyGrants(client, plan)
    expect(await planGrants(client, roles)).toEqual({ groups: [], warnings: [] })
  })
  const { rows } = await pool.query('select has_column_privilege($1, $2, $3, $4) as may', [
    ...[roleOf(urls.exporter), 'users', 'password', 'select'],
  ])
  expect(rows).toEqual([{ may: false }])
})

test('several that grant at once all succeed', async ({ createDatabase }) => {
  const { url, pool } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const roles = SERVICES.map((service): ServiceRole => ({ service, role: roleOf(urls[service]), password: '' }))
  for (const { role } of roles) await pool.query(`drop owned by ${role}`)
  const plans = await Promise.all(Array.from({ length: 6 }, () => grantRoles(urls.owner, roles)))
  expect(plans.filter(({ groups }) => groups.length > 0)).toHaveLength(1)
})

test('a password reaches neither the screen nor the log of Postgres, and the role can log in with it', async ({
  createDatabase,
}) => {
  const { url } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const role = `${roleOf(urls.api)}_two`
  const password = 'pass:wörd/é'
  await withClient(urls.owner, async (client) => {
    const plan = await planGrants(client, [{ service: 'api', role, password }])
    expect(JSON.stringify(plan)).not.toContain(password)
    expect(plan.groups[0]?.[0]?.shown).toBe(`create role "${role}" login password '…'`)
    await applyGrants(client, plan)
  })
  const own = new URL(url)
  Object.assign(own, { username: role, password })
  expect(await withClient(own.href, (client) => client.query('select from users'))).toMatchObject({ rowCount: 0 })
})

test('what cannot be granted is refused with what to do', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const as = (role: string): ServiceRole[] => [{ service: 'api', role, password: '' }]
  const plan = (address: string, role: string) => withClient(address, (client) => planGrants(client, as(role)))
  await expect(plan(urls.owner, 'no_such_role')).rejects.toMatchObject({ code: 'role_missing' })
  await expect(plan(urls.api, roleOf(urls.api))).rejects.toMatchObject({ code: 'not_owner' })
  const { url: empty } = await createDatabase({ empty: true })
  await expect(plan(empty, roleOf(urls.api))).rejects.toMatchObject({ code: 'not_migrated' })
  expect(await plan(urls.owner, roleOf(urls.owner))).toEqual({
    groups: [],
    warnings: [`${roleOf(urls.owner)} is the owner of the tables: a service should have a role that is not.`],
  })
})

const WAIT = { startTimeoutMs: 1_000 }

test('a role that may not migrate waits for the migration and for its privileges, and says which it lacks', async ({
  createDatabase,
}) => {
  const { url, pool } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const prepare = (service: Service, more: object = {}) => prepareDatabase(urls[service], { ...WAIT, service, ...more })
  for (const service of ['api', 'relay', 'exporter'] as const)
    await prepare(service, { withoutQueue: service === 'relay' })

  // As with the next release: a migration is missing.
  await pool.query(
    `with last as (delete from schema_migrations where version = 1 returning *) select * into gone from last`,
  )
  await expect(prepare('relay', { withoutQueue: true })).rejects.toMatchObject({ code: 'not_migrated' })
  const waits: string[] = []
  const waiting = prepare('relay', {
    withoutQueue: true,
    startTimeoutMs: 20_000,
    onWait: ({ message }: Error) => {
      if (waits.push(message) === 2) void pool.query('insert into schema_migrations select * from gone')
    },
  })
  await waiting
  expect(waits[0]).toContain('It lacks 0001_accounts.sql')

  await pool.query(`delete from graphile_worker.migrations where id = (select max(id) from graphile_worker.migrations)`)
  await expect(prepare('exporter')).rejects.toMatchObject({ code: 'not_migrated' })
  await pool.query('insert into graphile_worker.migrations (id) select max(id) + 1 from graphile_worker.migrations')

  await pool.query(`revoke delete on outbox from ${roleOf(urls.relay)}`)
  await expect(prepare('relay', { withoutQueue: true })).rejects.toThrow('lacks: delete on table outbox')
  await pool.query(`drop policy streamledger_${roleOf(urls.api)} on graphile_worker._private_jobs`)
  await expect(prepare('api')).rejects.toThrow('lacks: a policy on table graphile_worker._private_jobs')
  await pool.query(`revoke usage on schema graphile_worker from ${roleOf(urls.exporter)}`)
  await expect(prepare('exporter')).rejects.toMatchObject({ code: 'not_migrated' })
})

test('a role that may do more than its service needs is warned about once', async ({ createDatabase }) => {
  const { url, pool } = await createDatabase({ empty: true })
  const urls = await divideRoles(url)
  const judge = async (address: string) => {
    const found: unknown[] = []
    await prepareDatabase(address, { ...WAIT, service: 'api', onExcess: ({ excess }) => found.push(excess) })
    return found
  }
  expect(await judge(urls.api)).toEqual([])
  expect(await judge(url)).toEqual(['a superuser'])
  expect(await judge(urls.owner)).toEqual(['the owner of the tables'])
  // It has none of the owner's privileges, and may become the owner. (The owner created it, and so is a member of it.)
  await pool.query(`revoke ${roleOf(urls.api)} from ${roleOf(urls.owner)}`)
  await pool.query(`grant ${roleOf(urls.owner)} to ${roleOf(urls.api)} with inherit false`)
  expect(await judge(urls.api)).toEqual(['a member of the owner of the tables'])
  const roles: ServiceRole[] = [{ service: 'api', role: roleOf(urls.api), password: '' }]
  const { warnings } = await withClient(url, (client) => planGrants(client, roles))
  expect(warnings).toEqual([expect.stringContaining('is a member of the owner of the tables')])
  await pool.query(`revoke ${roleOf(urls.owner)} from ${roleOf(urls.api)}`)
  await pool.query(`alter role ${roleOf(urls.api)} bypassrls`)
  expect(await judge(urls.api)).toEqual(['exempt from row security'])
})

test('one role for all services goes on migrating the database by itself', async ({ createDatabase }) => {
  const { url } = await createDatabase({ empty: true })
  const applied: string[] = []
  await prepareDatabase(url, { ...WAIT, service: 'api', onApply: (name) => applied.push(name) })
  expect(applied.length).toBeGreaterThan(10)
  expect(await migrate(url)).toMatchObject({ excess: 'a superuser' })
})
