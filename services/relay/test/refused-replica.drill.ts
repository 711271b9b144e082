import { expect, isReady, test, waitFor } from '@streamledger/testkit'
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, Kafka, logLevel, ResourcePatternTypes } from 'kafkajs'
import { countOutbox, examine, insertRows, makeInstallation, relayEnvironment, sharesBecome } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const KEYS = 50
const PATIENT = { timeoutMs: 90_000 }

/** Forbids the user, or allows it again, to write to the topic. */
async function setAcl(brokers: string, principal: string, topic: string, isForbidden: boolean): Promise<void> {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const rule = {
    ...{ resourceType: AclResourceTypes.TOPIC, resourceName: topic, resourcePatternType: ResourcePatternTypes.LITERAL },
    ...{ principal, host: '*', operation: AclOperationTypes.WRITE, permissionType: AclPermissionTypes.DENY },
  }
  const everyone = { ...rule, principal: 'User:*', operation: AclOperationTypes.ALL }
  // With the first ACL of a resource, all that no ACL allows is forbidden.
  if (isForbidden) {
    await admin.createAcls({ acl: [{ ...everyone, permissionType: AclPermissionTypes.ALLOW }] })
    await admin.createAcls({ acl: [rule] })
  } else await admin.deleteAcls({ filters: [rule] })
  await admin.disconnect()
}

test('a replica that Kafka refuses, by an ACL, a password or a certificate, gives its partitions to one that it does not', async ({
  createDatabase,
  startSecuredKafka,
  spawnService,
}) => {
  const [database, kafka] = await Promise.all([createDatabase(), startSecuredKafka()])
  const { pool } = database
  const installation = await makeInstallation(pool, 6)
  let round = 0
  const insert = async () => {
    round += 1
    await insertRows(pool, installation, { keys: KEYS, rows: KEYS, from: round })
  }
  const isDrained = () => waitFor(async () => (await countOutbox(pool)) === 0, PATIENT)
  const { username, password } = kafka.scram
  const refused = await spawnService(RELAY, {
    ...relayEnvironment(database, kafka.securedBrokers, installation),
    ...{ KAFKA_TLS: 'true', KAFKA_TLS_CA_FILE: kafka.caFile, KAFKA_SASL_MECHANISM: 'scram-sha-512' },
    ...{ KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password },
  })
  const well = await spawnService(RELAY, relayEnvironment(database, kafka.brokers, installation))
  await Promise.all([refused, well].map((relay) => relay.ready()))
  await sharesBecome(pool, [3, 3])
  await insert()
  await isDrained()

  const restart = async () => {
    await kafka.kill()
    await kafka.start()
  }
  const gaveUp = () => refused.logs.split('gives its partitions up').length - 1
  const isRefused = async (times: number) => {
    await insert()
    await isDrained()
    await waitFor(() => expect(gaveUp()).toBe(times), PATIENT)
    await sharesBecome(pool, [6])
    expect(await isReady(refused.opsUrl, 5_000)).toBe(false)
    expect(await isReady(well.opsUrl, 5_000)).toBe(true)
  }
  const isBack = async () => {
    await waitFor(() => isReady(refused.opsUrl, 5_000), PATIENT)
    await sharesBecome(pool, [3, 3])
    await insert()
    await isDrained()
  }

  await setAcl(kafka.brokers, `User:${username}`, installation.topic, true)
  await isRefused(1)
  await setAcl(kafka.brokers, `User:${username}`, installation.topic, false)
  await isBack()

  await kafka.setScramPassword('rotated')
  await restart()
  await isRefused(2)
  await kafka.setScramPassword(password)
  await isBack()

  await kafka.replaceCertificate()
  await restart()
  await isRefused(3)
  expect(well.logs).not.toContain('gives its partitions up')
  const verdict = examine(await kafka.readAll(installation.topic))
  expect(verdict).toEqual({ distinct: round * KEYS, doubled: 0, outOfOrder: 0 })
}, 480_000)
