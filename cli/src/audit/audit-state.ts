// The state of the audit, in one SQLite file. Position and findings are stored in one transaction, so that after a crash
// no event is compared twice and none is left out. In the ledger's database this would be a write for each event, by a
// program that otherwise only reads; the metadata of a consumer group is limited to 4 KB.
import { DatabaseSync } from 'node:sqlite'
import { CliError } from '../errors.ts'
import { TOPIC_FAULTS, type TopicFault } from '../reconcile/topic-faults.ts'
import { Places } from './places.ts'

const SCHEMA = `
  create table if not exists audit (singleton integer primary key check (singleton = 1), installation text, judged_at text) strict;
  create table if not exists topic (singleton integer primary key check (singleton = 1), id text not null) strict;
  create table if not exists positions (partition integer primary key, next_offset integer not null) strict;
  create table if not exists faults (kind text primary key, count integer not null) strict;
  create table if not exists wallets (
    id integer primary key, floor integer not null, last integer not null, counted integer not null, gaps text not null
  ) strict;`

const KINDS = Object.keys(TOPIC_FAULTS) as TopicFault[]

export class AuditState {
  places = new Places()
  /** Per partition, the next offset to read. Empty if the audit has not begun. */
  readonly positions = new Map<number, number>()
  readonly counts = Object.fromEntries(KINDS.map((kind) => [kind, 0])) as Record<TopicFault, number>
  /** Everything posted before this time is in the topic, or was counted as missing. */
  judgedAt: Date | undefined
  readonly #file: DatabaseSync

  /**
   * Without a path the state is kept in memory only.
   *
   * @throws CliError `unsuitable` for a file that is in use or is not such a file.
   */
  constructor(path: string | undefined) {
    this.#file = open(path)
    try {
      this.#load()
    } catch (error) {
      this.#file.close()
      throw error
    }
  }

  /** @throws CliError `configuration` if the state belongs to another installation. */
  claim(installation: string): void {
    this.#file.prepare('insert or ignore into audit values (1, ?, null)').run(installation)
    const row = this.#file.prepare('select installation from audit').get()
    if (row?.installation === installation) return
    const text = `AUDIT_STATE_FILE belongs to installation ${row?.installation}, and the database to ${installation}. Use another file, or check DATABASE_URL.`
    throw new CliError('configuration', text)
  }

  /** Returns the topic that the positions are of, by the id that Kafka gave it. Without an earlier topic it is this one. */
  claimTopic(id: string): string {
    this.#file.prepare('insert or ignore into topic values (1, ?)').run(id)
    return String(this.#file.prepare('select id from topic').get()?.id)
  }

  /** The positions are good for this topic, too. */
  moveToTopic(id: string): void {
    this.#file.prepare('update topic set id = ?').run(id)
  }

  /** Forgets everything but the counts, if the audit cannot continue from its position. */
  forget(): void {
    this.places = new Places()
    this.positions.clear()
    this.judgedAt = undefined
    this.#file.exec('delete from wallets; delete from positions; update audit set judged_at = null; delete from topic')
  }

  save(): void {
    const file = this.#file
    file.exec('begin immediate')
    try {
      const wallet = file.prepare('insert or replace into wallets values (?, ?, ?, ?, ?)')
      for (const { wallet: id, floor, last, counted, gaps } of this.places.changes()) {
        wallet.run(id, floor, last, counted, JSON.stringify(gaps))
      }
      const position = file.prepare('insert or replace into positions values (?, ?)')
      for (const [partition, offset] of this.positions) position.run(partition, offset)
      const fault = file.prepare('insert or replace into faults values (?, ?)')
      for (const kind of KINDS) fault.run(kind, this.counts[kind])
      file.prepare('update audit set judged_at = ?').run(this.judgedAt?.toISOString() ?? null)
      file.exec('commit')
    } catch (error) {
      file.exec('rollback')
      throw error
    }
    this.places.stored()
  }

  close(): void {
    this.#file.close()
  }

  #load(): void {
    const row = this.#file.prepare('select judged_at from audit').get()
    if (row?.judged_at) this.judgedAt = new Date(String(row.judged_at))
    for (const { partition, next_offset } of this.#file.prepare('select * from positions').all()) {
      this.positions.set(Number(partition), Number(next_offset))
    }
    for (const { kind, count } of this.#file.prepare('select * from faults').all()) {
      this.counts[kind as TopicFault] = Number(count)
    }
    for (const { id, gaps, ...numbers } of this.#file.prepare('select * from wallets').iterate()) {
      const [floor = 0, last = 0, counted = 0] = [numbers.floor, numbers.last, numbers.counted].map(Number)
      this.places.restore({ wallet: Number(id), floor, last, counted, gaps: JSON.parse(String(gaps)) })
    }
  }
}

function open(path: string | undefined): DatabaseSync {
  try {
    const file = new DatabaseSync(path ?? ':memory:')
    // Only one audit may use a file: it stays locked from the first write on.
    file.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma locking_mode = exclusive')
    file.exec(`begin exclusive; ${SCHEMA} commit`)
    return file
  } catch (error) {
    const text = `${path} cannot be used as the state of the audit (${(error as Error).message}). Check that no other audit uses it, and that this one may write there.`
    throw new CliError('unsuitable', text, { cause: error })
  }
}
