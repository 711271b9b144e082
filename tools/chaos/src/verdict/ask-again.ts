import { type Answer, type Order, toAnswer } from '../load/answer.ts'
import type { LoadOptions } from '../load/load.ts'
import { sendOrder } from '../load/send-order.ts'
import { withAgent } from '../load/with-agent.ts'
import type { Findings } from './findings.ts'

const SAMPLE_MAX = 500

export interface AskAgain {
  readonly apiUrls: LoadOptions['apiUrls']
  readonly remembered: readonly { order: Order; answer: Answer }[]
  readonly findings: Findings
}

/** Sends orders of this run again: they must get the same bytes, marked as a replay. */
export function askAgain({ apiUrls, remembered, findings }: AskAgain): Promise<void> {
  return withAgent(async (agent) => {
    for (const [at, { order, answer }] of remembered.slice(-SAMPLE_MAX).entries()) {
      const urls = apiUrls()
      const reply = await sendOrder(agent, urls[at % urls.length]?.url ?? '', order)
      const again = reply && toAnswer(order, reply.status, reply.body.toString())
      const isSame = again?.status === answer.status && again.body === answer.body
      if (isSame && (reply?.replayed || answer.status !== 201)) continue
      findings.add(
        'wrong_answers',
        `${order.trans_id}: ${JSON.stringify(answer)}, and after recovery ${JSON.stringify(again)}`,
      )
    }
  })
}
