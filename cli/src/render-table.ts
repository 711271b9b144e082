/** Aligns rows under a head; columns of numbers are aligned to the right. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  const isFigures = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[\d.,–-]*( s)?$/.test(row[column] ?? '')),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return isFigures[column] ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

export const renderCount = (count: number): string => count.toLocaleString('en')

/** "1 wallet", "1,200 wallets". */
export const renderQuantity = (count: number, noun: string): string =>
  `${renderCount(count)} ${noun}${count === 1 ? '' : 's'}`

export function renderDuration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 120) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
