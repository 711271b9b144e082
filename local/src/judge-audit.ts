/** What became of asking the registry for known faults of the packages that are pinned. */
export type AuditVerdict =
  | { kind: 'clean' }
  | { kind: 'found' }
  /** Nothing is known: neither that there are faults nor that there are none. */
  | { kind: 'not asked'; reason: string }

export interface AuditRun {
  code: number | null
  output: string
}

/** What pnpm ends with when the registry, or the way to it, failed. */
const NOT_ASKED =
  /ERR_PNPM_(AUDIT_(BAD_RESPONSE|ENDPOINT_NOT_EXISTS)|META_FETCH_FAIL|FETCH_\w+)|\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT)\b/

/** Only a registry that could not be asked is no failure: whatever is not understood is one. */
export function judgeAudit({ code, output }: AuditRun): AuditVerdict {
  if (code === 0) return { kind: 'clean' }
  const [reason] = NOT_ASKED.exec(output) ?? []
  return reason ? { kind: 'not asked', reason } : { kind: 'found' }
}
