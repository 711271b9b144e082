import { randomUUID } from 'node:crypto'
import { grantRoles, migrate, SERVICES, type Service, type ServiceRole } from '@streamledger/db'
import { executeStatement } from '@streamledger/engines'
import pg from 'pg'

/** Addresses of one database, each with a role of its own. */
export type RoleUrls = Readonly<Record<Service | 'owner', string>>

/** What Postgres gives to everybody: without it, only what is granted is there. */
const WITHOUT_PUBLIC = ['revoke all on database :db from public', 'revoke all on schema public from public']

/** Gives an empty database an owner that is no superuser, migrates it, and gives each service a role of its own. */
export async function divideRoles(databaseUrl: string): Promise<RoleUrls> {
  const suffix = randomUUID().slice(0, 8)
  const urlOf = (role: string): string => {
    const url = new URL(databaseUrl)
    Object.assign(url, { username: role, password: `of-${role}` })
    return url.href
  }
  const owner = `owner_${suffix}`
  const db = pg.escapeIdentifier(new URL(databaseUrl).pathname.slice(1))
  for (const statement of [
    `create role ${owner} login createrole password 'of-${owner}'`,
    `alter database :db owner to ${owner}`,
    ...WITHOUT_PUBLIC,
    `alter default privileges for role ${owner} revoke execute on functions from public`,
  ]) {
    await executeStatement(databaseUrl, statement.replace(':db', db))
  }
  await migrate(urlOf(owner))
  const roles = SERVICES.map((service): ServiceRole => {
    const role = `${service}_${suffix}`
    return { service, role, password: `of-${role}` }
  })
  await grantRoles(urlOf(owner), roles)
  const urls = roles.map(({ service, role }) => [service, urlOf(role)])
  return { owner: urlOf(owner), ...Object.fromEntries(urls) }
}
