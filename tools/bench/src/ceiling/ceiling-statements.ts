import { CEILING_WALLETS } from './ceiling-schema.ts'

/** What is measured beneath the product, in SQL alone. */
export type Statement = 'post-uniform' | 'post-hot' | 'commit'

export interface CeilingRun {
  readonly databaseUrl: string
  readonly statement: Statement
  readonly clients: number
  readonly seconds: number
}

export interface CeilingResult {
  rate: number
  /** Of a single client. */
  p50_ms?: number
}

/** One statement of a ceiling: in pgbench's words, and with parameters for the pg driver. */
export interface CeilingStatement {
  readonly pgbench: string
  readonly text: string
  readonly walletsMax: number | undefined
}

const post = (walletsMax: number): CeilingStatement => ({
  pgbench: `\\set wallet random(1, ${walletsMax})
\\set key random(1, 9000000000000000)
select ceiling.post(:wallet, 100, :key::text)`,
  text: 'select ceiling.post($1, 100, $2)',
  walletsMax,
})

export const CEILING_STATEMENTS: Readonly<Record<Statement, CeilingStatement>> = {
  'post-uniform': post(CEILING_WALLETS),
  'post-hot': post(1),
  // The least that makes Postgres flush: one narrow row into a table without an index.
  commit: { pgbench: 'insert into ceiling.commits values (1)', text: 'insert into ceiling.commits values (1)', walletsMax: undefined }, // biome-ignore format: one line a statement
}
