import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const REQUIREMENTS = resolve(import.meta.dirname, 'helm-requirements.txt')
const HINT = 'the chart is tested with Python 3 and pip, or left out with TEST_WITHOUT=helm'
const FETCH_DEADLINE_MS = 300_000

/** The oldest Kubernetes that the chart takes, and the newest whose schemas there are. */
export const KUBERNETES = ['1.30', '1.37'] as const
export type KubernetesVersion = (typeof KUBERNETES)[number]

export interface HelmTools {
  helm: string
  /** Of all that an API server of that version takes, closed against members that it does not know. */
  readDefinitions(version: KubernetesVersion): object
}

/** Takes the files of a zip whose names begin so: neither Node nor every machine has an unzip. */
const UNZIP = `import sys, zipfile
archive, prefix, folder = sys.argv[1:]
names = zipfile.ZipFile(archive).namelist()
zipfile.ZipFile(archive).extractall(folder, [name for name in names if name.startswith(prefix)])`

/**
 * Helm, and the schemas of Kubernetes' API: fetched once into .local by their checksums. A Helm that is installed is taken where
 * the fetched one, which is for Linux on x64, does not run.
 *
 * @throws Error, one line, that says what this machine lacks.
 */
export async function prepareHelm(): Promise<HelmTools> {
  const folder = await fetchOnce()
  const fetched = join(folder, 'helm/helm')
  const helm = await firstThatAnswers([fetched, 'helm'])
  if (!helm) throw new Error('Helm is missing: install it, or leave it out with TEST_WITHOUT=helm')
  return {
    helm,
    readDefinitions: (version) =>
      JSON.parse(readFileSync(join(folder, schemasOf(version), '_definitions.json'), 'utf8')),
  }
}

const schemasOf = (version: KubernetesVersion): string =>
  `kubernetes_validate/kubernetes-json-schema/v${version}.0-local-strict`

async function firstThatAnswers(programs: readonly string[]): Promise<string | undefined> {
  for (const program of programs) {
    const answers = await run(program, ['version']).then(
      () => true,
      () => false,
    )
    if (answers) return program
  }
  return undefined
}

/** A folder under its final name is complete: it is made as a draft, and the rename is atomic. */
async function fetchOnce(): Promise<string> {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).update(KUBERNETES.join()).digest('hex')
  const folder = resolve(import.meta.dirname, `../../.local/helm-${digest.slice(0, 8)}`)
  if (existsSync(folder)) return folder
  mkdirSync(dirname(folder), { recursive: true })
  const draft = mkdtempSync(`${folder}.draft-`)
  try {
    console.log("fetching Helm and the schemas of Kubernetes' API, 61 MB, once")
    await fetchInto(draft)
    renameSync(draft, folder)
  } catch (cause) {
    if (existsSync(folder)) return folder // another test was faster, with the same files
    throw new Error(`${HINT} (${cause instanceof Error ? cause.message.trim().split('\n').at(-1) : cause})`, { cause })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}

async function fetchInto(folder: string): Promise<void> {
  const options = { cwd: folder, timeout: FETCH_DEADLINE_MS }
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', '--no-deps']
  await run('python3', [...pip, '--require-hashes', '--dest', 'wheels', '--requirement', REQUIREMENTS], options)
  const unzip = (archive: string, prefix: string) => run('python3', ['-c', UNZIP, archive, prefix, '.'], options)
  const wheels = readdirSync(join(folder, 'wheels'))
  const wheelOf = (name: string): string => join('wheels', wheels.find((wheel) => wheel.startsWith(name)) ?? name)

  for (const version of KUBERNETES)
    await unzip(wheelOf('kubernetes_validate'), `${schemasOf(version)}/_definitions.json`)
  // A zip in a tar in a zip: a package for Python, which holds one for Node, which holds what it puts into the cloud.
  await unzip(wheelOf('aws_cdk'), 'aws_cdk/')
  const packed = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('.jsii.tgz'))
  await run('tar', ['-xzf', packed ?? '', 'package/lib/layer.zip'], options)
  await unzip('package/lib/layer.zip', 'helm/')
  chmodSync(join(folder, 'helm/helm'), 0o755)
  for (const name of ['wheels', 'aws_cdk', 'package']) rmSync(join(folder, name), { recursive: true })
}
