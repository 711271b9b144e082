/** The result of asking the registry for advisories about the packages in the lockfile. */
export type AuditVerdict =
  | { kind: 'clean' }
  | { kind: 'found' }
  /** The registry did not answer, so nothing is known. */
  | { kind: 'not asked'; reason: string }

export interface AuditRun {
  code: number | null
  output: string
}

/** Errors of pnpm if the registry cannot be reached. */
const NOT_ASKED =
  /ERR_PNPM_(AUDIT_(BAD_RESPONSE|ENDPOINT_NOT_EXISTS)|META_FETCH_FAIL|FETCH_\w+)|\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT)\b/

/** Only a registry that cannot be reached is no failure: any other error is one. */
export function judgeAudit({ code, output }: AuditRun): AuditVerdict {
  if (code === 0) return { kind: 'clean' }
  const [reason] = NOT_ASKED.exec(output) ?? []
  return reason ? { kind: 'not asked', reason } : { kind: 'found' }
}
