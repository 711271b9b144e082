import type { ServiceProcess } from '@streamledger/testkit'
import { expect, makePerson, test } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { createClient } from './client.ts'

const PAIRS = 100
const WARM_UP_PAIRS = 5
/** Without the dummy hash, an unknown address would be answered several times as fast. */
const DIFFERENCE_MAX = 0.25

function medianOf(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] as number
}

test('a log-in takes as long for an address that nobody has as for a wrong password', async ({
  database,
  spawnService,
}) => {
  const [api] = (await spawnApis(spawnService, database.url)) as [ServiceProcess]
  const client = createClient(api.url)
  const person = makePerson()
  expect((await client.call('POST', '/auth/signup', { body: person })).status).toBe(201)

  const timed = async (email: string) => {
    const startedAt = performance.now()
    const { status } = await client.call('POST', '/auth/login', { body: { email, password: 'not this one' } })
    expect(status).toBe(401)
    return performance.now() - startedAt
  }
  // Alternately, and in alternating order, so that other load on the machine affects both in the same way.
  const known: number[] = []
  const unknown: number[] = []
  for (let pair = -WARM_UP_PAIRS; pair < PAIRS; pair += 1) {
    const order = pair % 2 ? [known, unknown] : [unknown, known]
    for (const times of order) {
      const ms = await timed(times === known ? person.email : makePerson().email)
      if (pair >= 0) times.push(ms)
    }
  }
  expect(known.length + unknown.length).toBe(2 * PAIRS)
  const ratio = medianOf(unknown) / medianOf(known)
  expect(ratio).toBeGreaterThan(1 - DIFFERENCE_MAX)
  expect(ratio).toBeLessThan(1 + DIFFERENCE_MAX)
}, 240_000)
