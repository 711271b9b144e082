import { listOpenFiles, type ServiceProcess, type SpawnService } from '@streamledger/testkit'
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

/** The files below a folder that the process has open. */
export const openFilesBelow = (folder: string, { pid }: Pick<ServiceProcess, 'pid'>): string[] =>
  listOpenFiles(pid).filter((path) => path.startsWith(folder))
