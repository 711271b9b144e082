import type { ClientBase } from 'pg'
import { DatabaseError } from './errors.ts'
import { type Atom, listPolicyTables, listPrivileges, type Service } from './privileges.ts'
import { isDenied } from './sqlstate.ts'

export interface JudgedRole {
  role: string
  /** What makes it more than a service needs. Null: nothing. */
  excess:
    | 'a superuser'
    | 'the owner of the tables'
    | 'a member of the owner of the tables'
    | 'exempt from row security'
    | null
}

// A member that does not inherit has no privilege of the owner, and may become it with SET ROLE.
const EXCESS = `
  select rolname as role,
         case when rolsuper then 'a superuser'
              when pg_has_role(owner, 'usage') then 'the owner of the tables'
              when pg_has_role(owner, 'member') then 'a member of the owner of the tables'
              when rolbypassrls then 'exempt from row security' end as excess
    from pg_roles,
         (select (select relowner from pg_class where oid = to_regclass('schema_migrations')) as owner) as tables
   where rolname = current_user`

// What does not exist gives null, which is not reported: then the statement that needs it says so.
const LACKS = `
  select privilege || coalesce(' (' || "column" || ')', '') || ' on ' || object as lacks
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as wanted (object, name, privilege, "column")
   where not case split_part(object, ' ', 1)
         when 'database' then has_database_privilege(current_database(), privilege)
         when 'schema' then has_schema_privilege(name, privilege)
         when 'sequence' then has_sequence_privilege(to_regclass(name)::oid, privilege)
         when 'function' then has_function_privilege(to_regproc(name)::oid, privilege)
         else case when "column" is null then has_table_privilege(to_regclass(name)::oid, privilege)
                   else has_column_privilege(to_regclass(name)::oid, "column", privilege) end end
  union all
  select 'a policy on table ' || t.name
    from unnest($5::text[]) as t (name) join pg_class c on c.oid = to_regclass(t.name) and c.relrowsecurity
   where not (select rolbypassrls from pg_roles where rolname = current_user)
     and not exists (
       select from pg_policy p, unnest(p.polroles) as r (id)
        where p.polrelid = c.oid and (r.id = 0 or pg_has_role(r.id, 'usage'))
     )`

const LACKS_NAMED_MAX = 3

/**
 * Says what the role of this connection is. Unless it owns the tables, it must have what the service needs.
 *
 * @throws DatabaseError `not_granted`
 */
export async function judgeRole(client: ClientBase, service: Service | undefined): Promise<JudgedRole> {
  const { rows } = await client.query<JudgedRole>(EXCESS)
  const [judged] = rows as [JudgedRole]
  const isAbove = judged.excess === 'a superuser' || judged.excess === 'the owner of the tables'
  if (service && !isAbove) {
    const lacks = await listLacks(client, service)
    if (lacks.length > 0) throw new DatabaseError('not_granted', describe(judged.role, lacks))
  }
  return judged
}

async function listLacks(client: ClientBase, service: Service): Promise<string[]> {
  const atoms = listPrivileges([service])
  const tables = listPolicyTables([service]).map((object) => nameOf({ object }))
  try {
    const { rows } = await client.query<{ lacks: string }>(LACKS, [
      ...[atoms.map(({ object }) => object), atoms.map(nameOf), atoms.map(({ privilege }) => privilege)],
      ...[atoms.map(({ column }) => column), tables],
    ])
    return rows.map(({ lacks }) => lacks)
  } catch (error) {
    // Names in a schema that the role may not use cannot even be looked up.
    if (isDenied(error)) return [(error as Error).message]
    throw error
  }
}

/** `table users` is in the schema `public`; other schemas are named. */
export function nameOf({ object }: Pick<Atom, 'object'>): string {
  const name = object.slice(object.indexOf(' ') + 1) // may have spaces itself
  return object.startsWith('schema ') || name.startsWith('graphile_worker.') ? name : `public.${name}`
}

function describe(role: string, lacks: readonly string[]): string {
  const named = lacks.slice(0, LACKS_NAMED_MAX).join('; ')
  const more = lacks.length - LACKS_NAMED_MAX
  return `The role ${role} lacks: ${named}${more > 0 ? `; and ${more} more` : ''}.`
}
