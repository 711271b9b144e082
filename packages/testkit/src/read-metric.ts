import type { ServiceProcess } from './spawn-service.ts'

/** The value of a metric of a process, summed over its labels. */
export async function readMetric({ opsUrl }: Pick<ServiceProcess, 'opsUrl'>, name: string): Promise<number> {
  const text = await (await fetch(`${opsUrl}/metrics`)).text()
  const values = text.split('\n').flatMap((line) => {
    const [series = '', value] = line.split(' ')
    return series.split('{', 1)[0] === name ? [Number(value)] : []
  })
  if (values.length === 0) throw new Error(`there is no metric ${name}`)
  return values.reduce((sum, value) => sum + value)
}
