import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { isProcess, type PostgresEngine, type StartPostgresOptions, startPostgres } from '../src/index.ts'

let dataDir: string
const engines: PostgresEngine[] = []

beforeEach(() => {
  // Only its owner may enter this folder: as root, that shuts out the user that PostgreSQL runs as.
  dataDir = mkdtempSync(join(realpathSync(tmpdir()), 'engines-'))
})

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.kill()))
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(options: Partial<StartPostgresOptions> = {}): Promise<PostgresEngine> {
  const engine = await startPostgres({ dataDir, ...options })
  engines.push(engine)
  return engine
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

test('what was committed is there after a kill, though another process has the pid by now', async () => {
  const first = await start()
  await query(first.url, 'create table kept as select 42 as n')
  await first.kill()
  writeFileSync(join(dataDir, 'pgdata', 'postmaster.pid'), `${process.pid}\n${join(dataDir, 'pgdata')}\n`)

  const second = await start()
  expect(await query(second.url, 'select n from kept')).toEqual([{ n: 42 }])
})

test('a process of the killed server that has not noticed yet is waited for', async () => {
  const first = await start()
  const [slow] = (await query(first.url, "select pid from pg_stat_activity where backend_type = 'checkpointer'")) as [
    { pid: number },
  ]
  process.kill(slow.pid, 'SIGSTOP')
  await first.kill()
  const second = start()
  const refused = () => readFileSync(join(dataDir, 'postgres.log'), 'utf8').includes('still in use')
  try {
    await vi.waitFor(() => expect(refused()).toBe(true), { timeout: 10_000 })
  } finally {
    process.kill(slow.pid, 'SIGCONT')
  }
  expect(await query((await second).url, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a server that a killed supervisor left behind is ended first', async () => {
  const orphan = await start()
  await query(orphan.url, 'create table kept as select 42 as n')
  const lines: string[] = []

  const next = await start({ log: (line) => lines.push(line) })
  expect(lines).toEqual([`ended the PostgreSQL (pid ${orphan.pid}) that an earlier run left behind`])
  expect(isProcess(orphan.pid, ['postgres'])).toBe(false)
  expect(await query(next.url, 'select n from kept')).toEqual([{ n: 42 }])
})

test('the server is durable, speaks UTF-8 and UTC, and listens on this machine alone', async () => {
  const { url } = await start()
  const names = ['fsync', 'synchronous_commit', 'listen_addresses', 'server_encoding', 'TimeZone']
  const rows = await query(url, `select ${names.map((name) => `current_setting('${name}') as "${name}"`)}`)
  expect(rows).toEqual([
    { fsync: 'on', synchronous_commit: 'on', listen_addresses: '127.0.0.1', server_encoding: 'UTF8', TimeZone: 'UTC' },
  ])
  await expect(query(url.replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toThrow('password authentication failed')
})

test('stop is orderly and may be called twice', async () => {
  const engine = await start()
  await Promise.all([engine.stop(), engine.stop()])
  expect(await engine.exited).toEqual({ code: 0, signal: null })
})

test('a busy port is one clear line', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  try {
    await expect(start({ port, portVariable: 'POSTGRES_PORT' })).rejects.toThrow(
      `The port is in use. PostgreSQL needs ${port}: end the program that uses it, or set POSTGRES_PORT to another port.`,
    )
  } finally {
    server.close()
  }
})
