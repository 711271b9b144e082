import { readdirSync, readlinkSync } from 'node:fs'
import type { ServiceProcess, SpawnService } from '@streamledger/testkit'
import { makeEnv } from './api.ts'

const MAIN = 'services/api/src/main.ts'

/** So many API processes on one database, ready; their ports are picked by `spawnService`. */
export async function spawnApis(
  spawnService: SpawnService,
  databaseUrl: string,
  { count = 1, env = {} }: { count?: number; env?: Record<string, string> } = {},
): Promise<ServiceProcess[]> {
  const { PORT: _, ...rest } = makeEnv(databaseUrl, { LOG_LEVEL: 'warn', ...env })
  const services = await Promise.all(Array.from({ length: count }, () => spawnService(MAIN, rest)))
  await Promise.all(services.map((service) => service.ready()))
  return services
}

/** What the process tells of itself, summed over its labels. */
export async function readMetric({ opsUrl }: Pick<ServiceProcess, 'opsUrl'>, name: string): Promise<number> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text()
  const values = text.split('\n').flatMap((line) => {
    const [series = '', value] = line.split(' ')
    return series.split('{', 1)[0] === name ? [Number(value)] : []
  })
  if (values.length === 0) throw new Error(`there is no metric ${name}`)
  return values.reduce((sum, value) => sum + value)
}

/** The files below a folder that the process has open; only Linux tells. */
export function openFilesBelow(folder: string, { pid }: Pick<ServiceProcess, 'pid'>): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync(`/proc/${pid}/fd`)
    .map((descriptor) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${descriptor}`)
      } catch {
        return '' // closed meanwhile
      }
    })
    .filter((path) => path.startsWith(folder))
}
