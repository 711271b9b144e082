// Prints docs/alerts.md: every alert with what it looks at, and the fault by which it was raised.
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

Each alert of \`deploy/prometheus/alerts.yaml\`: when it fires, whom it is for (\`page\`: the night; \`ticket\`: the next working day), and
the section of the [runbook](runbook.md) that says what to do. \`for\` is how long that must have been so. The last column is the fault
by which \`deploy/test/raised-alerts.test.ts\` and \`raised-audit-alerts.test.ts\` raise it, in running services that a real Prometheus
scrapes, on every run of the tests; there, what must have been so for minutes needs to have been so for seconds.
\`deploy/prometheus/alerts.test.yaml\` shows by \`promtool\`, and at full length, that each fires, and does not fire on what is near it.
This page is made from the code: \`npm run fix\` writes it anew.

| alert | severity | fires when | for | runbook | raised by |
|---|---|---|---|---|---|`

function listAlerts(): Alert[] {
  const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Partial<Alert>[] }[] }
  return groups.flatMap(({ rules }) => rules.filter((rule): rule is Alert => rule.alert !== undefined))
}

/** As the heading of the section reads, as far as its anchor tells. */
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
