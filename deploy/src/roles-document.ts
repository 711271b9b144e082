// Prints docs/roles.md: the database roles of the services, with the privileges of db/src/privileges.ts.

const { renderPrivileges } = await import(new URL('../../db/src/privileges.ts', import.meta.url).href)

const HEAD = `# Database roles

For people who run StreamLedger on a Postgres of their own. Each service has a database role of its own, which may do what the service
needs and nothing else. \`npm start\`, docker-compose.yml and the Helm chart set this up by themselves.

| role | for | may |
|---|---|---|
| the owner | the migration, \`streamledger grants\`, and the commands that change something (\`relay resolve\`, \`relay adopt-cluster\`, \`topic grow\`) | everything in this database. It needs no superuser rights, and CREATEROLE only to create the other roles |
| \`api\` | the API | read and write accounts and the ledger, which it can only add to; add outbox rows, which it cannot read; order exports |
| \`relay\` | the relay | read and delete outbox rows; keep its own state. It sees no user, wallet or transaction |
| \`exporter\` | the exporter | read transactions and users' names, but not their passwords and e-mail addresses; run jobs; delete old security events |
| \`audit\` | the audit, \`verify\`, \`reconcile\`, \`outbox status\` | read the ledger and the outbox. It sees no user, session or security event |

The names of the roles are yours; those of docker-compose.yml and \`npm start\` begin with \`streamledger_\`.

## Set them up

Migrate with the owner, then let it grant. Without \`--yes\` the command shows the statements and changes nothing. It can be repeated, and
run while the services run:

<!-- not run: the passwords and the addresses are yours; tools/local/test/service-roles.long.ts does the same -->
\`\`\`sh
export DATABASE_URL=postgres://owner:…@postgres:5432/ledger
export API_DATABASE_URL=postgres://ledger_api:…@postgres:5432/ledger
export RELAY_DATABASE_URL=postgres://ledger_relay:…@postgres:5432/ledger
export EXPORTER_DATABASE_URL=postgres://ledger_exporter:…@postgres:5432/ledger
export AUDIT_DATABASE_URL=postgres://ledger_audit:…@postgres:5432/ledger
node db/src/migrate-main.ts
streamledger grants
streamledger grants --yes
\`\`\`

Then each service gets its own address as \`DATABASE_URL\`. A role that is missing is created with the password of its address; that needs
CREATEROLE. The password of a role that exists is never changed, and none is printed or reaches the log of Postgres. If an administrator creates the
roles, their names are enough: \`streamledger grants --api ledger_api --relay ledger_relay --exporter ledger_exporter --audit ledger_audit\`.
\`node db/src/migrate-main.ts --grants\` migrates, and then does what \`streamledger grants --yes\` does.

**Run \`grants\` after every migration.** A release may need more privileges, and a migration of graphile-worker may create tables: they have row
security without a policy, so nobody but their owner sees a row in them until \`grants\` creates one for each role.

\`grants\` makes the privileges of the roles it is given equal to the table below, in the schemas \`public\` and \`graphile_worker\`. It takes away
what is not in the table. It does not change what PUBLIC may do: on a database of its own, nothing that is here is needed from PUBLIC, so you may revoke
all of it (\`revoke all on database … from public\`, \`revoke all on schema public from public\`).

## What a service does at its start

- A role that owns the tables migrates, if a migration is missing. Any other role waits until the database is migrated and has granted
  what the service needs: the log line is \`waiting until the database is migrated and granted\`. After \`DATABASE_START_TIMEOUT_MS\` the service
  ends and says what is missing.
- A role that owns the tables or may become their owner, is a superuser or has BYPASSRLS works, and is warned about once: \`the database role of this service may do more than it
  needs\`. So an installation with one role for everything goes on working.

## The privileges

Generated from \`db/src/privileges.ts\`. Columns in parentheses: only these. After a fail-over of Postgres, ids begin in another range
([decision 25](decisions/0025-each-timeline-has-its-own-ids.md)): for that, the API may set three sequences.

`

if (import.meta.main) process.stdout.write(`${HEAD}${renderPrivileges()}\n`)
