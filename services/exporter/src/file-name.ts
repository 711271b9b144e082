import type { AttemptName } from './export-store.ts'

const DRAFT_SUFFIX = '.part'
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const NAME = new RegExp(`^(${UUID})\\.(${UUID})\\.xlsx(\\${DRAFT_SUFFIX})?$`)

/** The name of an attempt's file in any store. */
export function fileNameOf({ exportId, attempt }: AttemptName): string {
  return `${exportId}.${attempt}.xlsx`
}

export function draftNameOf(attempt: AttemptName): string {
  return fileNameOf(attempt) + DRAFT_SUFFIX
}

/** @returns undefined if it is not the file of an attempt */
export function parseFileName(name: string): (AttemptName & { isDraft: boolean }) | undefined {
  const [, exportId, attempt, suffix] = NAME.exec(name) ?? []
  if (exportId === undefined || attempt === undefined) return undefined
  return { exportId, attempt, isDraft: suffix !== undefined }
}
