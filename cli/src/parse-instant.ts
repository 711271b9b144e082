import { CliError } from './errors.ts'

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const SPAN = /^(\d{1,6})([smhd])$/
// A time without a zone would mean another instant on another machine.
const INSTANT = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/

/** An instant from "2026-02-28", "2026-02-28T06:00:00Z" or a span before now such as "90m", "24h", "7d". */
export function parseInstant(name: string, text: string, now = Date.now()): Date {
  const [, count, unit] = SPAN.exec(text) ?? []
  if (count && unit) return new Date(now - Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS])
  const instant = new Date(INSTANT.test(text) ? text : Number.NaN)
  if (!Number.isNaN(instant.getTime())) return instant
  throw new CliError(
    'usage',
    `--${name} is "${text}"; it must be a time with its zone (2026-02-28T06:00:00Z), a date in UTC (2026-02-28), or a time span before now (90m, 24h, 7d).`,
  )
}
