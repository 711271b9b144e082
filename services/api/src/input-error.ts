export type InputPlace = 'body' | 'query' | 'header' | 'path'

export interface InputFault {
  in: InputPlace
  /** JSON pointer into that part of the request. */
  pointer: string
  reason: string
}

/** Input that matches its schema but is still not valid. */
export class InputError extends Error {
  override name = 'InputError'
  readonly faults: readonly InputFault[]
  constructor(faults: readonly InputFault[]) {
    super('The request is not valid.')
    this.faults = faults
  }
}
