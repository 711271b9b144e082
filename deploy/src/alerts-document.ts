// Prints docs/alerts.md: every alert with its condition and the fault that raises it in a test.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { AUDIT_FAULTS, SERVICE_FAULTS } from './alert-faults.ts'

const RULES = new URL('../prometheus/alerts.yaml', import.meta.url)

interface Alert {
  alert: string
  for?: string
  labels: { severity: string }
  annotations: { runbook_url: string }
}

const PREFACE = `# Alerts

Every alert of \`deploy/prometheus/alerts.yaml\`, with the condition that fires it and the section of the [runbook](runbook.md) that says
what to do. Severity \`page\` calls a person at once, \`ticket\` waits for the next working day. \`for\` is how long the condition must hold.

The last column is the fault that raises the alert in \`deploy/test/raised-alerts.long.ts\` and \`raised-audit-alerts.long.ts\`. These tests
run real services and a real Prometheus, with seconds in place of minutes. \`deploy/prometheus/alerts.test.yaml\` tests the full times with
\`promtool\`: each alert fires on its fault, and does not fire on a similar state.

This page is generated from the code: \`npm run fix\` updates it.

| alert | severity | fires when | for | runbook | raised by |
|---|---|---|---|---|---|`

function listAlerts(): Alert[] {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Partial<Alert>[] }[] }
  return groups.flatMap(({ rules }) => rules.filter((rule): rule is Alert => rule.alert !== undefined))
}

/** A link with the heading of the section, as it follows from the anchor. */
function renderLink(url: string): string {
  const [, anchor = ''] = url.split('#')
  return `[${anchor.replaceAll('-', ' ')}](runbook.md#${anchor})`
}

function renderAlerts(): string {
  const faults = { ...SERVICE_FAULTS, ...AUDIT_FAULTS }
  const rows = listAlerts().map(({ alert, for: duration = '', labels, annotations }) => {
    const fault = faults[alert]
    if (!fault) throw new Error(`no fault is known that raises ${alert}: see alert-faults.ts`)
    const cells = [`\`${alert}\``, labels.severity, fault.when, duration, renderLink(annotations.runbook_url)]
    return `| ${[...cells, fault.raisedBy].join(' | ')} |`
  })
  return `${PREFACE}\n${rows.join('\n')}\n`
}

if (import.meta.main) process.stdout.write(renderAlerts())
