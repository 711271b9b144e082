import { Agent } from 'node:http'
import { type Answer, type Order, toAnswer } from '../load/answer.ts'
import { callApi } from '../load/call-api.ts'
import type { LoadOptions } from '../load/load.ts'
import type { Findings } from './findings.ts'

const SAMPLE_MAX = 500

export interface AskAgain {
  readonly apiUrls: LoadOptions['apiUrls']
  readonly remembered: readonly { order: Order; answer: Answer }[]
  readonly findings: Findings
}

/** Sends orders of this run once more: the same bytes come back, and are said to be a replay. */
export async function askAgain({ apiUrls, remembered, findings }: AskAgain): Promise<void> {
  const agent = new Agent({ keepAlive: true })
  try {
    for (const [at, { order, answer }] of remembered.slice(-SAMPLE_MAX).entries()) {
      const urls = apiUrls()
      const { user, entry, amount, trans_id } = order
      const reply = await callApi(agent, urls[at % urls.length]?.url ?? '', {
        ...{ method: 'POST', path: '/transactions', token: user.token, body: { entry, amount, trans_id } },
      })
      const again = reply && toAnswer(order, reply.status, reply.body.toString())
      const isSame = again?.status === answer.status && again.body === answer.body
      if (isSame && (reply?.replayed || answer.status !== 201)) continue
      findings.add(
        'wrong_answers',
        `${trans_id}: ${JSON.stringify(answer)}, and when all was quiet ${JSON.stringify(again)}`,
      )
    }
  } finally {
    agent.destroy()
  }
}
