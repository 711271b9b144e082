import type { InputFault, InputPlace } from '../input-error.ts'

/** The fields of Ajv's and fastify's validation errors that are used here. */
export interface ValidationError {
  validation: { keyword: string; instancePath: string; message?: string; params: Record<string, unknown> }[]
  validationContext?: string
}

/** A body may have thousands of faults; the first few are enough. */
export const FAULTS_MAX = 20
export const POINTER_CHARACTERS_MAX = 200

const places: Record<string, InputPlace> = { body: 'body', querystring: 'query', headers: 'header', params: 'path' }

export function faultsOf({ validation, validationContext = 'body' }: ValidationError): InputFault[] {
  return validation.slice(0, FAULTS_MAX).map(({ keyword, instancePath, message = 'is not valid', params }) => {
    const fault = (name: unknown, reason: string): InputFault => ({
      in: places[validationContext] ?? 'body',
      pointer: (instancePath + (name === undefined ? '' : `/${escapePointer(String(name))}`)).slice(
        0,
        POINTER_CHARACTERS_MAX,
      ),
      reason,
    })
    switch (keyword) {
      case 'required':
        return fault(params.missingProperty, 'is required')
      case 'additionalProperties':
        return fault(params.additionalProperty, 'is not known')
      case 'pattern':
        return fault(undefined, 'has characters that are not allowed here')
      case 'enum':
        return fault(undefined, `must be one of ${(params.allowedValues as unknown[]).join(', ')}`)
      default:
        return fault(undefined, message)
    }
  })
}

/** RFC 6901. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
