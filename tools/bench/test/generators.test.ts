import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findTool } from '../src/find-tool.ts'
import { type LoadDeps, runClosedLoop, runOpenLoop } from '../src/load/run-load.ts'
import type { Workload } from '../src/load/workload.ts'

const wrk = findTool('wrk')
/** wrk may not be installed; autocannon always is. */
const generators = [{ name: 'autocannon', tool: undefined }, ...(wrk ? [{ name: 'wrk', tool: wrk }] : [])]

const workload: Workload = {
  ...{ method: 'POST', path: '/api/v1/transactions', replayEvery: 0, refuseEvery: 5 },
  ...{ tokens: ['token-0', 'token-1'], picks: [0, 1] },
}
const STALL_MS = 400

let workDir: string
let server: Server

beforeEach(() => {
  workDir = mkdtempSync(join(tmpdir(), 'bench-load-'))
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(workDir, { recursive: true, force: true })
})

async function listen(listener: RequestListener): Promise<string> {
  server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Sent {
  path: string
  token: string
  trans_id: string
}

/** Answers as a ledger would: 422 to what no wallet covers, 201 to the rest. */
function ledger(sent: Sent[]): RequestListener {
  return (request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      const { amount, trans_id } = JSON.parse(text) as { amount: number; trans_id: string }
      sent.push({ path: request.url ?? '', token: request.headers.authorization ?? '', trans_id })
      response.writeHead(amount > 1e12 ? 422 : 201, { 'content-length': 2 }).end('{}')
    })
  }
}

const depsFor = (tool: string | undefined): LoadDeps => ({ workDir, wrk: tool, signal: new AbortController().signal })

test.each(generators)('$name sends what the workload says, and knows refusals from faults', async ({ tool }) => {
  const sent: Sent[] = []
  const url = await listen(ledger(sent))
  const result = await runClosedLoop(depsFor(tool), { url, workload, seconds: 1, connections: 4 })

  expect(result).toMatchObject({ unexpected: 0, broken: 0 })
  expect(result.answered).toBeGreaterThan(20)
  expect(result.refused / result.answered).toBeCloseTo(0.2, 1)
  expect(result.p99_ms).toBeGreaterThanOrEqual(result.p50_ms)
  expect(new Set(sent.map(({ trans_id }) => trans_id)).size).toBe(sent.length)
  expect(new Set(sent.map(({ token }) => token))).toEqual(new Set(['Bearer token-0', 'Bearer token-1']))
  expect(new Set(sent.map(({ path }) => path))).toEqual(new Set([workload.path]))
})

test.each(generators)('$name counts every answer that was not asked for', async ({ tool }) => {
  const url = await listen((_, response) => response.writeHead(503, { 'content-length': 0 }).end())
  const plain = { ...workload, refuseEvery: 0 }
  const result = await runClosedLoop(depsFor(tool), { url, workload: plain, seconds: 1, connections: 2 })
  expect(result.unexpected).toBe(result.answered)
  expect(result.answered).toBeGreaterThan(0)
})

test.each(generators)('$name tells a refusal from a fault where refusals are asked for', async ({ tool }) => {
  const url = await listen((_, response) => response.writeHead(503, { 'content-length': 0 }).end())
  const result = await runClosedLoop(depsFor(tool), { url, workload, seconds: 1, connections: 2 })
  expect(result).toMatchObject({ refused: 0, unexpected: result.answered })
})

test('an open loop charges a stall to everyone who would have come meanwhile', async () => {
  const sent: Sent[] = []
  const answer = ledger(sent)
  let stalledUntil: number | undefined
  const url = await listen((request, response) => {
    stalledUntil ??= performance.now() + STALL_MS
    setTimeout(() => answer(request, response), Math.max(0, stalledUntil - performance.now()))
  })
  const result = await runOpenLoop(depsFor(undefined), { url, workload, seconds: 1, rate: 200 })
  expect(result).toMatchObject({ answered: 200, unexpected: 0, broken: 0, refused: 40 })
  expect(sent).toHaveLength(200)
  // Two fifths of the requests came during the stall, on average half of it long.
  expect(result.p90_ms).toBeGreaterThan(STALL_MS / 2)
  expect(result.p50_ms).toBeLessThan(result.p90_ms)
})

test('a generator whose server is gone says so', async () => {
  const url = await listen((request) => request.socket.destroy())
  const result = await runOpenLoop(depsFor(undefined), { url, workload, seconds: 1, rate: 20 })
  expect(result).toMatchObject({ answered: 0, broken: 20 })
})
