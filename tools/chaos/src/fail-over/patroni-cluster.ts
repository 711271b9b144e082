import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  choosePostgresUser,
  type EngineProcess,
  endProcess,
  listDescendants,
  pickFreePort,
  type RunLock,
  signalProcess,
  spawnEngine,
} from '@streamledger/engines'
import { startTcpProxy, type TcpProxy } from '@streamledger/testkit/tcp-proxy'
import { waitFor } from '@streamledger/testkit/wait-for'
import type { PatroniPrograms } from './install-patroni.ts'

/** A line of Patroni's own view of the cluster. */
export interface Member {
  readonly name: string
  readonly role: 'leader' | 'sync_standby' | 'replica'
  readonly state: string
}

export interface Cluster {
  readonly leader: string
  /** The synchronous standby, or any where there is none. */
  readonly syncStandby: string
}

export interface PatroniClusterOptions {
  readonly programs: PatroniPrograms
  readonly dir: string
  readonly logDir: string
  readonly lock: RunLock
  readonly synchronous: boolean
}

const NODES = ['pg1', 'pg2', 'pg3'] as const
export const USER = 'streamledger'
const SCOPE = 'streamledger'
/** The leader's key in etcd lives for 20 s, the least that Patroni accepts. A shorter retry_timeout demotes primaries of a busy machine. */
const DCS = { ttl: 20, loop_wait: 1, retry_timeout: 5 }
/** Without synchronous replication a standby that lacks more than 1 MiB is not promoted by default. */
const MODES = { synchronous: { synchronous_mode: true }, asynchronous: { maximum_lag_on_failover: 2 ** 30 } }
const PARAMETERS = {
  unix_socket_directories: '',
  shared_buffers: '32MB',
  max_connections: 150,
  fsync: 'on',
  synchronous_commit: 'on',
  timezone: 'UTC',
  log_timezone: 'UTC',
}
const BOOT_MAX_MS = 240_000
const STOP_MAX_MS = 30_000
const REST_TIMEOUT_MS = 1_000
const SWITCH_OVER_TIMEOUT_MS = 30_000

interface Ports {
  readonly postgres: number
  readonly rest: number
}

/**
 * A Patroni and its PostgreSQL. The others and all clients reach it through one proxy, and it reaches etcd through another, so
 * that it can be cut off.
 */
export class PatroniNode {
  readonly name: string
  readonly dataDir: string
  readonly #spawn: () => Promise<EngineProcess>
  readonly #proxies: { readonly inbound: TcpProxy; readonly outbound: TcpProxy }
  #patroni: EngineProcess | undefined

  constructor(
    name: string,
    {
      dataDir,
      spawn,
      ...proxies
    }: { dataDir: string; spawn: () => Promise<EngineProcess>; inbound: TcpProxy; outbound: TcpProxy },
  ) {
    this.name = name
    this.dataDir = dataDir
    this.#spawn = spawn
    this.#proxies = proxies
  }

  /** host:port, as everyone but the node itself sees it. */
  get postgres(): string {
    return this.#proxies.inbound.addresses[0] as string
  }

  get rest(): string {
    return `http://${this.#proxies.inbound.addresses[1]}`
  }

  async start(): Promise<void> {
    this.#patroni = await this.#spawn()
  }

  /** kill -9 of Patroni and of all processes of PostgreSQL. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#patroni?.exited
  }

  /** SIGSTOP to all of its processes. */
  freeze(): void {
    this.#signal('SIGSTOP')
  }

  thaw(): void {
    this.#signal('SIGCONT')
  }

  /** No data passes in either direction, and no connection ends: a network that loses all packets. */
  cutOff(): void {
    for (const proxy of Object.values(this.#proxies)) proxy.hang()
  }

  heal(): void {
    for (const proxy of Object.values(this.#proxies)) proxy.release()
  }

  /** Patroni shuts its PostgreSQL down when it ends in order. Processes that are left are killed. */
  async stop(): Promise<void> {
    this.thaw()
    this.heal()
    await this.#patroni?.stop('SIGTERM', STOP_MAX_MS)
    this.#signal('SIGKILL')
    await Promise.all(Object.values(this.#proxies).map((proxy) => proxy.close()))
  }

  /** The parents first, so that a process which they start meanwhile is found. */
  #signal(signal: NodeJS.Signals): void {
    const parents = [this.#patroni?.running ? this.#patroni.pid : undefined, postmasterOf(this.dataDir)]
    for (const pid of parents.filter((each) => each !== undefined)) {
      // The children of a dead parent cannot be found any more, so they are listed before.
      const children = listDescendants(pid)
      signalProcess(pid, signal)
      for (const child of new Set([...children, ...listDescendants(pid)])) signalProcess(child, signal)
    }
  }
}

/** The pid of the PostgreSQL that runs on this folder. */
function postmasterOf(dataDir: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')[0])
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return words.includes(dataDir) ? pid : undefined
  } catch {
    return undefined // there is none
  }
}

/** Ends what is left of a run that was killed. */
export async function endOrphans(dir: string): Promise<void> {
  for (const name of NODES) {
    const dataDir = join(dir, name, 'data')
    const pid = postmasterOf(dataDir)
    if (pid === undefined) continue
    signalProcess(pid, 'SIGCONT')
    await endProcess(pid, { words: [dataDir], signal: 'SIGQUIT', deadlineMs: STOP_MAX_MS })
  }
}

/** Three nodes with synchronous replication under Patroni, and an etcd, which always runs. */
export class PatroniCluster implements AsyncDisposable {
  readonly nodes: ReadonlyMap<string, PatroniNode>
  readonly password: string
  readonly #etcd: EngineProcess
  readonly #synchronous: boolean

  private constructor(
    nodes: ReadonlyMap<string, PatroniNode>,
    { password, etcd, synchronous }: { password: string; etcd: EngineProcess; synchronous: boolean },
  ) {
    this.nodes = nodes
    this.password = password
    this.#etcd = etcd
    this.#synchronous = synchronous
  }

  /** Resolves when there are a primary and two standbys. */
  static async start(options: PatroniClusterOptions): Promise<PatroniCluster> {
    const { dir, programs, lock, logDir, synchronous } = options
    mkdirSync(dir, { recursive: true })
    await using started = new AsyncDisposableStack()
    const etcdPort = await pickFreePort()
    const etcd = await startEtcd(options, etcdPort)
    started.defer(() => etcd.stop('SIGTERM', STOP_MAX_MS))
    lock.record({ pid: etcd.pid, words: [dir], signal: 'SIGTERM' })
    const passwords = { superuser: makePassword(), replication: makePassword() }
    const nodes = new Map<string, PatroniNode>()
    for (const name of NODES) {
      const home = join(dir, name)
      mkdirSync(home, { recursive: true, mode: 0o700 })
      const user = choosePostgresUser({ program: programs.python, home, data: join(home, 'data') })
      const ports: Ports = { postgres: await pickFreePort(), rest: await pickFreePort() }
      const inbound = await startTcpProxy(`127.0.0.1:${ports.postgres}`, `127.0.0.1:${ports.rest}`)
      const outbound = await startTcpProxy(`127.0.0.1:${etcdPort}`)
      const file = join(home, 'patroni.json')
      writeFileSync(file, configure({ name, home, ports, inbound, outbound, passwords, programs, synchronous }))
      chmodSync(file, 0o600)
      if (user.ids) for (const path of [home, file]) chownSync(path, user.ids.uid, user.ids.gid)
      let starts = 0
      const spawn = async () => {
        starts += 1
        const logFile = join(logDir, `${name}-${starts}.log`)
        const env = { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: home }
        const patroni = await spawnEngine({ ...user.command(programs.python, ['-m', 'patroni', file]), env, logFile })
        lock.record({ pid: patroni.pid, words: [file], signal: 'SIGTERM' })
        return patroni
      }
      const node = new PatroniNode(name, { dataDir: join(home, 'data'), spawn, inbound, outbound })
      nodes.set(name, node)
      started.defer(() => node.stop())
      await node.start()
    }
    const cluster = new PatroniCluster(nodes, { password: passwords.superuser, etcd, synchronous })
    await cluster.untilHealthy()
    started.move()
    return cluster
  }

  /** The state of the cluster by the first node that answers. */
  members(): Promise<readonly Member[]> {
    return Promise.any(
      [...this.nodes.values()].map(async ({ rest }) => {
        const response = await fetch(`${rest}/cluster`, { signal: AbortSignal.timeout(REST_TIMEOUT_MS) })
        return ((await response.json()) as { members: Member[] }).members
      }),
    )
  }

  /** Waits until there is a primary, both standbys follow it, and one of them is the synchronous one, if there is to be one. */
  untilHealthy(): Promise<Cluster> {
    const standbys = this.#synchronous ? 'sync_standby' : 'replica'
    return waitFor(
      async () => {
        const members = await this.members()
        const leader = members.find(({ role, state }) => role === 'leader' && state === 'running')
        const syncStandby = members.find(({ role, state }) => role === standbys && state === 'streaming')
        const following = members.filter(({ state }) => state === 'streaming')
        if (leader && syncStandby && following.length === NODES.length - 1) {
          return { leader: leader.name, syncStandby: syncStandby.name }
        }
        throw new Error(
          `Patroni says ${JSON.stringify(members.map(({ name, role, state }) => `${name} ${role} ${state}`))}`,
        )
      },
      { timeoutMs: BOOT_MAX_MS, intervalMs: 200 },
    )
  }

  async switchOver({ leader, syncStandby }: Cluster): Promise<void> {
    const response = await fetch(`${this.nodes.get(leader)?.rest}/switchover`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ leader, candidate: syncStandby }),
      signal: AbortSignal.timeout(SWITCH_OVER_TIMEOUT_MS),
    })
    if (!response.ok) throw new Error(`/switchover answered ${response.status}: ${await response.text()}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.nodes.values()].map((node) => node.stop()))
    await this.#etcd.stop('SIGTERM', STOP_MAX_MS)
  }
}

const makePassword = (): string => randomBytes(18).toString('base64url')

async function startEtcd({ programs, dir, logDir }: PatroniClusterOptions, port: number): Promise<EngineProcess> {
  const [clients, peers] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${await pickFreePort()}`]
  // It is never killed, so it need not wait for the disk.
  const args = ['--name', 'etcd', '--data-dir', join(dir, 'etcd'), '--unsafe-no-fsync', '--log-level', 'warn']
  const client = ['--listen-client-urls', clients, '--advertise-client-urls', clients]
  const peer = [
    '--listen-peer-urls',
    peers,
    '--initial-advertise-peer-urls',
    peers,
    '--initial-cluster',
    `etcd=${peers}`,
  ]
  const etcd = await spawnEngine({
    ...{ command: programs.etcd, args: [...args, ...client, ...peer] },
    ...{ env: { PATH: process.env.PATH ?? '' }, logFile: join(logDir, 'etcd.log') },
  })
  await waitFor(async () => (await fetch(`${clients}/health`)).ok, { timeoutMs: BOOT_MAX_MS })
  return etcd
}

interface Configure {
  readonly name: string
  readonly home: string
  readonly ports: Ports
  readonly inbound: TcpProxy
  readonly outbound: TcpProxy
  readonly passwords: { readonly superuser: string; readonly replication: string }
  readonly programs: PatroniPrograms
  readonly synchronous: boolean
}

/** JSON is YAML, too. */
function configure({ name, home, ports, inbound, outbound, passwords, programs, synchronous }: Configure): string {
  const [postgres, rest] = inbound.addresses
  return JSON.stringify({
    ...{ scope: SCOPE, name },
    restapi: { listen: `127.0.0.1:${ports.rest}`, connect_address: rest },
    // Without use_proxies, Patroni asks etcd for its address, and goes around the proxy.
    etcd3: { hosts: [outbound.address], use_proxies: true },
    bootstrap: {
      dcs: {
        ...DCS,
        ...MODES[synchronous ? 'synchronous' : 'asynchronous'],
        postgresql: { use_pg_rewind: true, use_slots: true, parameters: PARAMETERS },
      },
      initdb: [
        { encoding: 'UTF8' },
        { locale: 'C' },
        { 'locale-provider': 'builtin' },
        { 'builtin-locale': 'C.UTF-8' },
        'data-checksums',
      ],
    },
    postgresql: {
      ...{ listen: `127.0.0.1:${ports.postgres}`, connect_address: postgres },
      ...{ data_dir: join(home, 'data'), bin_dir: programs.postgresBin, pgpass: join(home, 'pgpass') },
      // A pg_rewind that was cut off, by another fail-over, leaves files that nothing can use: the node is copied anew.
      remove_data_directory_on_rewind_failure: true,
      remove_data_directory_on_diverged_timelines: true,
      authentication: {
        superuser: { username: USER, password: passwords.superuser },
        replication: { username: 'standby', password: passwords.replication },
      },
      pg_hba: ['host all all 127.0.0.1/32 scram-sha-256', 'host replication standby 127.0.0.1/32 scram-sha-256'],
    },
  })
}
