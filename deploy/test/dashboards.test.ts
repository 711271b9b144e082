import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { hasPrometheus, preparePrometheus } from './prometheus-tools.ts'
import { DASHBOARDS, listExpressions } from './read-dashboard.ts'
import { findUnknown } from './unknown-series.ts'

const FETCH_TIMEOUT_MS = 400_000
test.each(DASHBOARDS)('the dashboard of the %s asks only for what docs/metrics.md has', async (service) => {
  const expressions = listExpressions(service)
  expect(expressions.length).toBeGreaterThan(10)
  for (const expr of expressions) expect({ expr, unknown: await findUnknown(expr, []) }).toEqual({ expr, unknown: [] })
})

if (hasPrometheus) {
  test('Prometheus can read every expression of the dashboards', { timeout: FETCH_TIMEOUT_MS }, async () => {
    const { promtool } = await preparePrometheus()
    const folder = mkdtempSync(join(tmpdir(), 'streamledger-dashboards-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const rules = DASHBOARDS.flatMap(listExpressions).map((expr, at) => ({
      record: `dashboard:expression:${at}`,
      expr,
    }))
    // JSON is YAML.
    writeFileSync(join(folder, 'rules.yaml'), JSON.stringify({ groups: [{ name: 'dashboards', rules }] }))
    const { stdout } = await promisify(execFile)(promtool, ['check', 'rules', '--lint=none', 'rules.yaml'], {
      cwd: folder,
    })
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`)
  })
}
