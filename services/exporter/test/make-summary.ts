import type { Summary } from '../src/summary-sheet.ts'

/** A summary for tests that do not depend on its contents. */
export function makeSummary(summary: Partial<Summary> = {}): Summary {
  return {
    ...{ holder: 'Ada Obi', walletId: 7, currency: 'NGN', from: null, to: null, entry: null },
    ...{ orderedAt: new Date(Date.UTC(2026, 5, 1)), generatedAt: new Date(Date.UTC(2026, 5, 1, 0, 0, 1)) },
    ...{ openingBalance: 0, closingBalance: 0 },
    ...summary,
  }
}
