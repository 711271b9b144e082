import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { startChromium } from '@streamledger/testkit'
import type { DashboardPanel } from './read-dashboard.ts'
import type { Line, RunningPrometheus } from './start-prometheus.ts'

const PAGE = resolve(import.meta.dirname, 'dashboard-page.html')
const CHARTS = dirname(createRequire(import.meta.url).resolve('uplot'))
const WIDTH = 1240
const MS_PER_S = 1_000

export interface Drawing {
  title: string
  panels: DrawnPanel[]
}

export interface DrawnPanel {
  title: string
  unit: string
  gridPos: { x: number; y: number; w: number; h: number }
  /** Seconds since 1970; each line has a value, or nothing, for each of them. */
  times: number[]
  lines: { legend: string; values: (number | null)[] }[]
}

export interface Span {
  from: Date
  to: Date
}

/** What a panel shows of this time: Prometheus is asked for each of its expressions as Grafana would ask. */
export async function readPanel(prometheus: RunningPrometheus, panel: DashboardPanel, { from, to }: Span) {
  const [start, end] = [from, to].map((instant) => Math.floor(instant.getTime() / MS_PER_S)) as [number, number]
  const times = Array.from({ length: end - start + 1 }, (_, at) => start + at)
  const found = await Promise.all(
    panel.targets.map(async ({ expr, legendFormat }) => {
      const lines = await prometheus.queryLines(expr.replaceAll('$__rate_interval', '10s'), from, to)
      return lines.map((line) => ({ legend: renderLegend(legendFormat, line), values: listValues(line, times) }))
    }),
  )
  const { title, gridPos, fieldConfig } = panel
  return { title, gridPos, unit: fieldConfig.defaults.unit, times, lines: found.flat() } satisfies DrawnPanel
}

function renderLegend(format: string, { labels }: Line): string {
  return format.replaceAll(/\{\{(\w+)\}\}/g, (_, label) => labels[label] ?? '')
}

function listValues({ points }: Line, times: readonly number[]): (number | null)[] {
  // What is divided by nothing is no number.
  return times.map((time) => (Number.isFinite(points.get(time)) ? (points.get(time) as number) : null))
}

/** Draws with the charts that Grafana's own panels are drawn with, in a real browser; returns a PNG. */
export async function drawDashboards(drawings: readonly Drawing[]): Promise<Buffer[]> {
  const browser = await startChromium()
  try {
    // The machine's own locale may be none that JavaScript knows, such as POSIX.
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: WIDTH, height: 800 } })
    const pictures: Buffer[] = []
    for (const drawing of drawings) {
      const page = await context.newPage()
      await page.goto(`file://${PAGE}`)
      await page.addStyleTag({ path: resolve(CHARTS, 'uPlot.min.css') })
      await page.addScriptTag({ path: resolve(CHARTS, 'uPlot.iife.min.js') })
      await page.evaluate(`draw(${JSON.stringify(drawing)})`)
      pictures.push(await page.screenshot({ fullPage: true }))
      await page.close()
    }
    return pictures
  } finally {
    await browser.close()
  }
}
