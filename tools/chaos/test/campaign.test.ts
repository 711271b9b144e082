import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  addCounts,
  countFaults,
  loadCampaign,
  measureMinimums,
  type Piece,
  saveCampaign,
  totalOf,
} from '../src/campaign.ts'
import type { InjectedFault } from '../src/faults/run-faults.ts'
import type { FaultKind } from '../src/schedule/fault-kinds.ts'
import { Findings } from '../src/verdict/findings.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'chaos-campaign-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const injected = (kind: FaultKind, confirmed: boolean) => ({ kind, confirmed }) as InjectedFault

const piece = (ok: boolean): Piece => ({
  ...{
    began_at: '2026-01-01T00:00:00.000Z',
    seconds: 60,
    from: 0,
    to: 2,
    load: {},
    judged: undefined,
    ok,
    exporter_exits: 0,
  },
  faults: countFaults([injected('relay_killed', true), injected('relay_killed', false)]),
  verdict: new Findings().counts,
})

test('a campaign goes on where it was left', () => {
  expect(loadCampaign(dir, 7)).toEqual({ seed: 7, next: 0, pieces: [] })
  const campaign = { seed: 7, next: 2, pieces: [piece(true)] }
  saveCampaign(dir, campaign)
  expect(loadCampaign(dir, 7)).toEqual(campaign)
})

test('another seed is refused: its schedule would be counted as this one', () => {
  saveCampaign(dir, { seed: 7, next: 2, pieces: [piece(true)] })
  expect(() => loadCampaign(dir, 8)).toThrow(`${dir} is a campaign of seed 7, not 8.`)
})

test('a run that has found something closes the campaign', () => {
  saveCampaign(dir, { seed: 7, next: 4, pieces: [piece(true), piece(false)] })
  expect(() => loadCampaign(dir, 7)).toThrow(`Run 2 of ${dir} has findings`)
})

test('only what was seen to take effect counts towards the minimums', () => {
  const counts = addCounts([
    piece(true).faults,
    countFaults([injected('relay_killed', true), injected('api_paused', true)]),
  ])
  expect(counts.relay_killed).toEqual({ injected: 3, confirmed: 2 })
  expect(totalOf(counts)).toEqual({ injected: 4, confirmed: 3 })
  const minimums = Object.fromEntries(measureMinimums(counts).map(({ name, count }) => [name, count]))
  expect(minimums).toMatchObject({ 'relay killed': 2, 'API killed or paused in a batch': 1, 'broker restarted': 0 })
})
