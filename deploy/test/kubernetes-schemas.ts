import { Ajv2020 } from 'ajv/dist/2020.js'
import { CUSTOM_RESOURCES } from './custom-resources.ts'
import type { HelmTools, KubernetesVersion } from './helm-tools.ts'
import type { KubernetesObject } from './render-chart.ts'

const DEFINITIONS = 'https://kubernetes.io/api/_definitions.json'

interface Definition {
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
}

/** What an API server of that version would say against an object: members that it does not know, types, what is missing. */
export function createJudge(tools: HelmTools, version: KubernetesVersion): (object: KubernetesObject) => string[] {
  const definitions = tools.readDefinitions(version) as { $defs: Record<string, Definition> }
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(definitions, DEFINITIONS)
  const references = new Map(
    Object.entries(definitions.$defs).flatMap(([name, definition]) =>
      (definition['x-kubernetes-group-version-kind'] ?? []).map(({ group, version, kind }): [string, string] => [
        [group ? `${group}/${version}` : version, kind].join(' '),
        `${DEFINITIONS}#/$defs/${name}`,
      ]),
    ),
  )
  for (const schema of CUSTOM_RESOURCES) {
    const { apiVersion, kind } = schema.properties as Record<string, { const: string }>
    const name = `${apiVersion?.const} ${kind?.const}`
    ajv.addSchema(schema, name)
    references.set(name, name)
  }
  return (object) => {
    const reference = references.get(`${object.apiVersion} ${object.kind}`)
    const validate = reference === undefined ? undefined : ajv.getSchema(reference)
    if (!validate) return [`${object.apiVersion} has no ${object.kind}`]
    if (validate(object)) return []
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      [instancePath, message, Object.values(params).join()].join(' '),
    )
  }
}
