import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandLineOf, pickFreePort } from '@streamledger/engines'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createServiceLog } from '../src/service-log.ts'
import { superviseService } from '../src/supervise-service.ts'

async function supervise(fixture: string) {
  const folder = mkdtempSync(join(tmpdir(), 'supervise-'))
  const opsPort = await pickFreePort()
  const reports: string[] = []
  const pids: (number | undefined)[] = []
  const plan = {
    ...({ role: 'api', name: 'api-1' } as const),
    entry: join(import.meta.dirname, 'fixtures', fixture),
    env: { ...process.env, OPS_PORT: String(opsPort) },
    opsUrl: `http://127.0.0.1:${opsPort}`,
  }
  const log = createServiceLog(join(folder, 'api-1.log'), (line) => reports.push(line))
  const report = (line: string) => void reports.push(line)
  const service = superviseService(plan, { log, report, progress: report, onProcess: () => pids.push(0) })
  onTestFinished(async () => {
    service.kill()
    await service.stop()
    rmSync(folder, { recursive: true })
  })
  return { service, reports, pids }
}

test('a service that is killed is started again, and said to be', async () => {
  const { service, reports, pids } = await supervise('steady.ts')
  await service.ready
  const first = service.pid as number
  process.kill(first, 'SIGKILL')

  await vi.waitFor(() => expect([undefined, first]).not.toContain(service.pid), { timeout: 10_000 })
  const expected = ['api-1 ended (SIGKILL); starting it again in 0.5 s', 'api-1 is ready again']
  await vi.waitFor(() => expect(reports).toEqual(expected), { timeout: 10_000 })
  expect(pids).toHaveLength(2)
  await service.stop()
  expect(service.pid).toBeUndefined()
})

test('a service that never comes up is given up, with its reason', async () => {
  const { service } = await supervise('broken.ts')
  await expect(service.ready).rejects.toThrow('api-1 does not start (exit code 1).\ncould not start: no such database')
})

test('a service that is deaf to SIGTERM is killed when patience is over', async () => {
  const { service } = await supervise('stubborn.ts')
  await service.ready
  const pid = service.pid as number
  const stopped = service.stop()
  service.kill()
  await stopped
  expect(commandLineOf(pid)).toBeUndefined()
})
