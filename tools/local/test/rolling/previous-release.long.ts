import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { migrate } from '@streamledger/db'
import { expect } from '@streamledger/testkit'
import { ROOT } from '../../src/local-config.ts'
import { expectNothingLost } from './expect-nothing-lost.ts'
import { startPeople } from './people.ts'
import { type System, test } from './system.ts'
import { newestRelease, takeRelease } from './take-release.ts'

// The promise of docs/decisions/0024-expand-then-contract.md: a release runs on the schema of the next one. "The next one" is what is here.

const CLIENTS = 8

test('the previous release is migrated under, replaced by this one and put back, and no client notices', async ({
  system,
  kafka,
}) => {
  const version = newestRelease(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'))
  // While there is no release there is nothing to try; CHANGELOG.md has had one since 0.1.0, so this is no way out.
  expect(version).toBeDefined()
  const previous = await takeRelease(version as string)
  await system.start(previous)
  const people = await startPeople(system, CLIENTS)
  await people.goOn()

  await migrate(system.database.url)
  await people.goOn()

  await replaceAll(system, ['exporter', 'relay', 'api'], ROOT)
  await people.goOn()
  await replaceAll(system, ['api', 'relay', 'exporter'], previous)
  await people.goOn()

  await people.stop()
  await expectNothingLost(people.all, system, kafka)
  await system.stop()
})

async function replaceAll(system: System, order: readonly string[], root: string): Promise<void> {
  for (const name of order) {
    for (const replica of system.replicas.filter((one) => one.name === name)) await system.replace(replica, root)
  }
}
