import { expect, test } from 'vitest'
import { loadExporterConfig } from '../src/config.ts'

const load = (env: Record<string, string>) =>
  loadExporterConfig({ DATABASE_URL: 'postgres://unused', EXPORT_DIR: 'exports', ...env })

test('an exporter that would be taken for dead for one late heartbeat does not start', () => {
  const heartbeat = { EXPORTER_HEARTBEAT_MS: '1000' }
  expect(() => load({ ...heartbeat, EXPORTER_DEAD_AFTER_MS: '2999' })).toThrow(
    'EXPORTER_DEAD_AFTER_MS must be at least three times EXPORTER_HEARTBEAT_MS',
  )
  expect(load({ ...heartbeat, EXPORTER_DEAD_AFTER_MS: '3000' }).recovery).toEqual({
    ...{ heartbeatMs: 1_000, deadAfterMs: 3_000 },
  })
})
