import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pickFreePort } from '@streamledger/engines'
import { waitFor } from '@streamledger/testkit'
import { preparePrometheus } from './prometheus-tools.ts'

const RULES = resolve(import.meta.dirname, '../prometheus/alerts.yaml')
const LOG_CHARACTERS_MAX = 4_000

/** Alerts that fire, by their name: the labels of each. */
export type Firing = Map<string, Record<string, string>[]>

export interface Line {
  labels: Record<string, string>
  /** By the second since 1970. */
  points: Map<number, number>
}

export interface RunningPrometheus {
  readFiring(): Promise<Firing>
  /** The values of an expression, one for each series. */
  query(expression: string): Promise<number[]>
  /** The lines that an expression draws between two instants, a point for each second. */
  queryLines(expression: string, from: Date, to: Date): Promise<Line[]>
  remove(): Promise<void>
}

interface AlertsAnswer {
  alerts: { state: string; labels: Record<string, string> }[]
}

interface QueryAnswer {
  result: { value: [time: number, value: string] }[]
}

interface RangeAnswer {
  result: { metric: Record<string, string>; values: [time: number, value: string][] }[]
}

/** How much shorter the windows and ages are here than in production. */
const HASTE = 20
const S_PER_MIN = 60
const MS_PER_S = 1_000

/**
 * The same rules in less time: what an alert waits for before it fires (`for`) is a second, and a twentieth of it does
 * for what must hold over a window, and for the age of a time that the audit tells.
 */
function hasten(rules: string): string {
  return rules
    .replaceAll(/for: \d+m/g, 'for: 1s')
    .replaceAll(/(_over_time\([^[\n]*\[)(\d+)m\]/g, (_, start, min) => `${start}${(min * S_PER_MIN) / HASTE}s]`)
    .replaceAll(/(time\(\) - .* > )(\d+)$/gm, (_, start, seconds) => `${start}${seconds / HASTE}`)
}

/** A real Prometheus that looks every second at these ops ports, by the name of their job, with the hastened rules. */
export async function startPrometheus(targets: Record<string, string>): Promise<RunningPrometheus> {
  const { prometheus } = await preparePrometheus()
  const folder = mkdtempSync(join(tmpdir(), 'streamledger-prometheus-'))
  const port = await pickFreePort()
  writeFileSync(join(folder, 'alerts.yaml'), hasten(readFileSync(RULES, 'utf8')))
  writeFileSync(join(folder, 'prometheus.json'), JSON.stringify(configure(targets)))
  const flags = ['--config.file=prometheus.json', '--storage.tsdb.path=data', `--web.listen-address=127.0.0.1:${port}`]
  const child = spawn(prometheus, [...flags, '--log.level=warn'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_CHARACTERS_MAX)
  })
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const url = `http://127.0.0.1:${port}`
  const get = async <Data>(path: string): Promise<Data> =>
    ((await (await fetch(url + path)).json()) as { data: Data }).data
  await waitFor(async () => {
    if (child.exitCode !== null) throw new Error(log)
    return (await fetch(`${url}/-/ready`)).ok
  })
  return {
    async readFiring() {
      const { alerts } = await get<AlertsAnswer>('/api/v1/alerts')
      const firing = alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels)
      return Map.groupBy(firing, ({ alertname = '' }) => alertname)
    },
    async query(expression) {
      const { result } = await get<QueryAnswer>(`/api/v1/query?query=${encodeURIComponent(expression)}`)
      return result.map(({ value: [, value] }) => Number(value))
    },
    async queryLines(expression, from, to) {
      const secondsOf = (instant: Date): string => String(Math.floor(instant.getTime() / MS_PER_S))
      const query = new URLSearchParams({ query: expression, start: secondsOf(from), end: secondsOf(to), step: '1' })
      const { result } = await get<RangeAnswer>(`/api/v1/query_range?${query}`)
      return result.map(({ metric, values }) => ({
        labels: metric,
        points: new Map(values.map(([time, value]) => [time, Number(value)])),
      }))
    },
    async remove() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** JSON is YAML. */
function configure(targets: Record<string, string>): object {
  return {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['alerts.yaml'],
    scrape_configs: Object.entries(targets).map(([name, url]) => ({
      job_name: `streamledger-${name}`,
      static_configs: [{ targets: [new URL(url).host] }],
    })),
  }
}
