import { createHash } from 'node:crypto'
import type { Agent } from 'node:http'
import { waitFor } from '@streamledger/testkit/wait-for'
import { readProblem } from '../load/answer.ts'
import { type Call, callApi, type Reply } from '../load/call-api.ts'
import { withAgent } from '../load/with-agent.ts'
import { type Drill, PATIENCE_MS } from './drill.ts'

interface View {
  export_id: string
  status: string
  sha256: string | null
}

/** Workbooks that the restore finds in every state. */
export interface Ordered {
  /** Finished before the target, and left alone. */
  readonly kept: View
  /** Finished before the target; its owner has removed it after that. */
  readonly removed: View
  /** Ordered and finished after the target. */
  readonly later: View
}

const PATH = '/transactions/exports'

export function orderBeforeTarget(drill: Drill): Promise<[View, View]> {
  return withAgent(async (agent) => [await orderOne(drill, agent), await orderOne(drill, agent)])
}

/** Removes the second, orders a third. */
export function orderAfterTarget(drill: Drill, [kept, removed]: readonly [View, View]): Promise<Ordered> {
  return withAgent(async (agent) => {
    await ask(drill, agent, { method: 'DELETE', path: `${PATH}/${removed.export_id}` })
    return { kept, removed, later: await orderOne(drill, agent) }
  })
}

/** Checks what users get of their workbooks now. */
export async function judgeExports(drill: Drill, { kept, removed, later }: Ordered): Promise<void> {
  const { account } = drill
  await withAgent(async (agent) => {
    const file = (view: View) => ask(drill, agent, { method: 'GET', path: `${PATH}/${view.export_id}/file` })
    const found = await file(kept)
    const digest = createHash('sha256').update(found.body).digest('hex')
    account.claim(
      found.status === 200 && digest === kept.sha256,
      'a workbook from before the target is downloaded unchanged',
      found.status,
    )
    const gone = await file(removed)
    const { code } = readProblem(gone.body.toString())
    // Its row is restored and its file is not. The runbook describes this problem. It must never give another user's
    // file.
    account.claim(
      gone.status === 410 && code === 'export_file_missing',
      'a workbook that was removed after the target has no file, as the runbook says',
      `${gone.status} ${code}`,
    )
    const unknown = await file(later)
    account.claim(unknown.status === 404, 'a workbook that was ordered after the target is unknown', unknown.status)
    const fresh = await orderOne(drill, agent)
    account.claim(fresh.status === 'succeeded', 'a new workbook is written', fresh)
  })
}

async function orderOne(drill: Drill, agent: Agent): Promise<View> {
  const ordered = await ask(drill, agent, { method: 'POST', path: '/transactions/export', body: {} })
  const { export_id } = JSON.parse(ordered.body.toString()) as View
  return waitFor(
    async () => {
      const view = await ask(drill, agent, { method: 'GET', path: `${PATH}/${export_id}` })
      const state = JSON.parse(view.body.toString()) as View
      if (['queued', 'running'].includes(state.status)) throw new Error(`export ${export_id} is ${state.status}`)
      return state
    },
    { timeoutMs: PATIENCE_MS },
  )
}

/**
 * Asks as the first user, who owns all of them.
 *
 * @throws Error if there is no final answer yet.
 */
async function ask({ stack, users }: Drill, agent: Agent, call: Omit<Call, 'token'>): Promise<Reply> {
  const reply = await callApi(agent, stack.apiUrl(), { ...call, token: users[0]?.token })
  if (!reply || reply.status === 503) throw new Error(`${call.method} ${call.path}: ${reply?.status ?? 'no answer'}`)
  return reply
}
