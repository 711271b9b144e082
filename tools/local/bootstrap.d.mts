export function stampOf(root: string): string
export function withoutNpmVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv
