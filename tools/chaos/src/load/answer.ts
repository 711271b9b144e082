import type { User } from './sign-up.ts'

export interface Order {
  readonly user: User
  readonly entry: 'credit' | 'debit'
  readonly amount: number
  readonly trans_id: string
}

/** A final answer to a client. The ledger must keep it forever. */
export interface Answer {
  readonly wallet_id: number
  readonly trans_id: string
  readonly entry: 'credit' | 'debit'
  readonly amount: number
  readonly status: number
  /** For a 201 all bytes; for a refusal the part that is the same in each answer. */
  readonly body: string
}

/** @throws Error for a wrong answer */
export function toAnswer({ user, entry, amount, trans_id }: Order, status: number, text: string): Answer {
  const answer = { wallet_id: user.wallet_id, trans_id, entry, amount, status }
  if (status === 201) return { ...answer, body: text }
  const { code, balance } = readProblem(text)
  if (status === 422 && (code === 'insufficient_funds' || code === 'balance_limit')) {
    return { ...answer, body: JSON.stringify({ code, balance }) }
  }
  throw new Error(`${entry} ${amount} with trans_id ${trans_id} was answered ${status}: ${text}`)
}

export function readProblem(text: string): { code?: string; balance?: number } {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
