// Prints the README's table of environment variables, from the configurations of the services and the CLI.
import { listVariables, type Variable } from './env-example.ts'

/** A table in Markdown, required variables first. */
export function renderEnvironmentTable(): string {
  const variables = listVariables()
  const inOrder = [...variables.filter(({ required }) => required), ...variables.filter(({ required }) => !required)]
  return ['| variable | read by | default | |', '|---|---|---|---|', ...inOrder.map(renderRow)].join('\n')
}

function renderRow({ name, description, required, defaults }: Variable): string {
  const values = [...new Set(Object.values(defaults))].filter((value) => value !== undefined)
  const shown = required ? '**required**' : values.map((value) => `\`${value}\``).join(', ')
  return `| \`${name}\` | ${Object.keys(defaults).join(', ')} | ${shown} | ${description} |`
}

if (import.meta.main) process.stdout.write(`${renderEnvironmentTable()}\n`)
