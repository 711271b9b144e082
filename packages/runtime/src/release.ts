import packageJson from '../package.json' with { type: 'json' }

/** Which release this is. Every package of the workspace has the same version; the image has only those that it runs. */
export const RELEASE: string = packageJson.version
