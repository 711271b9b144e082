import type { Agent } from 'node:http'
import type { TopicRecord } from '@streamledger/engines'
import { type Answer, type Order, toAnswer } from '../load/answer.ts'
import { sendOrder } from '../load/send-order.ts'
import { withAgent } from '../load/with-agent.ts'
import { type Fate, readFates } from '../verdict/check-answers.ts'
import type { Drill } from './drill.ts'

export interface Fates {
  readonly kept: Answer[]
  /** Of transactions that are recorded in orphaned_events. */
  readonly orphaned: Answer[]
  /** Never published, so they were only on the lost disk; refusals have no event at all. */
  readonly forgotten: Answer[]
  /** In none of these groups; must be empty. */
  readonly unexplained: string[]
}

interface Answered {
  readonly stack: Pick<Drill['stack'], 'pool'>
}

/** Sorts the answers from before the loss by what became of them. `published` has the records of the topic. */
export async function sortAnswers(
  { stack }: Answered,
  file: string,
  published: readonly TopicRecord[],
): Promise<Fates> {
  const ids = new Set(published.map(({ value }) => String(JSON.parse(value ?? '{}').transaction_id)))
  const { rows } = await stack.pool.query<{ name: string }>(
    `select (payload::json ->> 'wallet_id') || ' ' || (payload::json ->> 'trans_id') as name from orphaned_events`,
  )
  const orphans = new Set(rows.map(({ name }) => name))
  const fates: Fates = { kept: [], orphaned: [], forgotten: [], unexplained: [] }
  for await (const fate of readFates(stack.pool, [file])) sortOne(fate, { ids, orphans, fates })
  return fates
}

interface Sorting {
  ids: ReadonlySet<string>
  orphans: ReadonlySet<string>
  fates: Fates
}

function sortOne({ answer, kind, message }: Fate, { ids, orphans, fates }: Sorting): void {
  const isPublished = answer.status === 201 && ids.has(String(JSON.parse(answer.body).transaction_id))
  if (kind === 'kept') fates.kept.push(answer)
  else if (kind === 'gone' && orphans.has(`${answer.wallet_id} ${answer.trans_id}`)) fates.orphaned.push(answer)
  else if (kind === 'gone' && !isPublished) fates.forgotten.push(answer)
  else fates.unexplained.push(message)
}

export interface AskedAgain {
  readonly replayed: number
  readonly decidedAnew: number
  readonly wrong: readonly string[]
}

/** Sends these orders twice more. Known ones must get the same answer; the others are decided now, and only once. */
export async function askTwice({ stack, users }: Drill, answers: readonly Answer[]): Promise<AskedAgain> {
  const result = { replayed: 0, decidedAnew: 0, wrong: [] as string[] }
  const senders = new Map(users.map((user) => [user.wallet_id, user]))
  await withAgent(async (agent) => {
    for (const answer of answers) {
      const user = senders.get(answer.wallet_id)
      if (!user) continue
      const order = { user, entry: answer.entry, amount: answer.amount, trans_id: answer.trans_id }
      const url = stack.apiUrl()
      const [first, second] = [await ask(agent, url, order), await ask(agent, url, order)]
      if (!first || first.body !== second?.body || first.status !== second.status) {
        result.wrong.push(`${answer.trans_id}: ${JSON.stringify(first)}, then ${JSON.stringify(second)}`)
      } else if (first.status === answer.status && first.body === answer.body) result.replayed += 1
      else result.decidedAnew += 1
    }
  })
  return result
}

async function ask(agent: Agent, url: string, order: Order): Promise<Answer | undefined> {
  const reply = await sendOrder(agent, url, order)
  return reply && toAnswer(order, reply.status, reply.body.toString())
}
