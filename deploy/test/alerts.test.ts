import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { AUDIT_FAULTS, SERVICE_FAULTS } from '../src/alert-faults.ts'
import { hasPrometheus, preparePrometheus } from './prometheus-tools.ts'
import { findUnknown } from './unknown-series.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const FOLDER = resolve(ROOT, 'deploy/prometheus')
const FETCH_TIMEOUT_MS = 400_000
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8')

interface Rule {
  record?: string
  alert?: string
  expr: string
  labels?: { severity: string }
  annotations?: { summary: string; runbook_url: string }
}

interface RuleTest {
  alert_rule_test: { alertname: string; exp_alerts: unknown[] }[]
}

const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)
const recorded = rules.flatMap(({ record }) => record ?? [])
const alerts = rules.flatMap((rule) => (rule.alert === undefined ? [] : [{ ...rule, alert: rule.alert }]))
const { tests } = parse(read('deploy/prometheus/alerts.test.yaml')) as { tests: RuleTest[] }

/** The sections of the runbook, by the anchors of their headings. */
function listSections(): Map<string, string> {
  const sections = read('docs/runbook.md')
    .split(/^## /m)
    .slice(1)
    .map((text): [string, string] => {
      const heading = text.split('\n', 1)[0] ?? ''
      const anchor = heading
        .toLowerCase()
        .replaceAll(/[^a-z0-9 _-]/g, '')
        .replaceAll(' ', '-')
      return [anchor, text]
    })
  return new Map(sections)
}

test('every rule reads only metrics and labels that docs/metrics.md has, and records of its own', async () => {
  expect(rules.length).toBeGreaterThan(0)
  for (const { expr } of rules)
    expect({ expr, unknown: await findUnknown(expr, recorded) }).toEqual({ expr, unknown: [] })
})

test('a metric, a label, a value or a bucket that nobody tells is found', async () => {
  const unknown = await Promise.all(
    [
      'sum(rate(streamledger_relay_rows_total[5m])) > 0',
      'rate(http_request_duration_seconds_count{path="/"}[5m])',
      'sum by (shard) (streamledger_outbox_rows)',
      'http_request_duration_seconds_bucket{le="0.2"}',
      'http_request_duration_seconds_count{route="/api/v1/payments"}',
      'http_request_duration_seconds_sum{route="/api/v1/transactions", service="api"} and up{job="streamledger-api"} == 0',
    ].map((expr) => findUnknown(expr, [])),
  )
  expect(unknown).toEqual([['streamledger_relay_rows_total'], ['path'], ['shard'], ['le="0.2"'], ['route="/api/v1/payments"'], []]) // biome-ignore format: one claim
})

test.each(alerts)('$alert leads to a section that says what it means, what to do and whom to wake', (rule) => {
  const [page, anchor = ''] = rule.annotations?.runbook_url.split('#') ?? []
  expect(page).toBe('docs/runbook.md')
  const section = listSections().get(anchor)
  expect(section, anchor).toBeDefined()
  for (const part of ['See it', 'What it means', 'Do', 'Wake']) expect(section).toContain(`**${part}:**`)
  // People search the runbook for the name of the alert.
  expect(section).toContain(`\`${rule.alert}\``)
  expect(['page', 'ticket']).toContain(rule.labels?.severity)
  expect(rule.annotations?.summary).toBeTruthy()
})

test('the index of the runbook has one row for each alert, with its severity and its section', () => {
  const runbook = read('docs/runbook.md')
  const rows = [...runbook.matchAll(/^\| `(Streamledger\w+)` \| (\w+) \| \[(.+)\]\(#(.+)\) \|$/gm)]
  const wanted = alerts.map(({ alert, labels, annotations }) => {
    const anchor = annotations?.runbook_url.split('#')[1] ?? ''
    return [alert, labels?.severity, listSections().get(anchor)?.split('\n', 1)[0], anchor]
  })
  expect(rows.map((row) => row.slice(1)).sort()).toEqual(wanted.sort())
})

test.each(alerts)('$alert is seen to fire, and not to fire', ({ alert }) => {
  const checks = tests.flatMap((one) => one.alert_rule_test).filter(({ alertname }) => alertname === alert)
  expect(checks.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true)
  expect(checks.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true)
})

test('a fault is told of each alert, and of no other', () => {
  const told = [...Object.keys(SERVICE_FAULTS), ...Object.keys(AUDIT_FAULTS)]
  expect(told.sort()).toEqual(alerts.map(({ alert }) => alert).sort())
})

if (hasPrometheus) {
  describe('promtool', () => {
    let promtool = ''
    beforeAll(async () => {
      ;({ promtool } = await preparePrometheus())
    }, FETCH_TIMEOUT_MS)

    const run = (...args: string[]) => promisify(execFile)(promtool, args, { cwd: FOLDER })

    test('takes the rules and the configuration', async () => {
      expect((await run('check', 'config', 'prometheus.yml')).stdout).toContain('alerts.yaml\n  SUCCESS')
    })

    test('sees each alert fire where it is to, and only there', async () => {
      const { stdout } = await run('test', 'rules', 'alerts.test.yaml').catch(({ stdout, stderr }) => {
        throw new Error(`${stdout}${stderr}`)
      })
      expect(stdout).toContain('SUCCESS')
      // promtool plays days of samples: half a minute of one processor.
    }, 400_000)
  })
}
