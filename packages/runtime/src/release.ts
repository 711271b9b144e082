import packageJson from '../package.json' with { type: 'json' }

/**
 * The running release. Read from this package, because the image does not have all of them; all have the same version.
 */
export const RELEASE: string = packageJson.version
