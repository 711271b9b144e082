import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test as base, expect, LEFT_OUT, waitFor } from '@streamledger/testkit'
import { LANGUAGES, prepare } from './prepare-languages.ts'
import { countStored, type RunningConsumer, runConsumer } from './run-consumer.ts'
import { makeTopic, type Topic } from './topic.ts'

const RELAY = 'services/relay/src/main.ts'
/** The first time, Maven and pip fetch what is missing. */
const TIMEOUT_MS = 600_000

const languages = LANGUAGES.filter((language) => !LEFT_OUT.includes(language))

const test = base
  .extend('folder', async ({ engines: _ }, { onCleanup }) => {
    const folder = mkdtempSync(join(tmpdir(), 'streamledger-consumers-'))
    onCleanup(() => rmSync(folder, { recursive: true }))
    return folder
  })
  .extend('run', async ({ engines: _ }, { onCleanup }): Promise<typeof runConsumer> => {
    const consumers: RunningConsumer[] = []
    onCleanup(async () => {
      for (const consumer of consumers) consumer.signal('SIGKILL')
      await Promise.all(consumers.map(({ ended }) => ended))
    })
    return (...args) => {
      const consumer = runConsumer(...args)
      consumers.push(consumer)
      return consumer
    }
  })

/** Writes what a relay leaves behind when it dies in the middle of a batch, and the fence of the next relay. */
async function abortSome(topic: Topic): Promise<void> {
  const lost = topic.eventOf(1, 5)
  await topic.write([lost, topic.eventOf(1, 6)], 'abort')
  const { partition = 0 } = lost
  await topic.write([{ key: null, value: null, headers: { streamledger_fence: 'x' }, partition }], 'abort')
}

test.for(languages)(
  'the %s consumer sees each committed event once, over a kill, and notices what is wrong',
  { timeout: TIMEOUT_MS },
  async (language, { createDatabase, kafka, spawnService, folder, run }) => {
    const command = await prepare(language)
    const topic = await makeTopic(await createDatabase(), kafka.brokers)
    const stateFile = join(folder, 'progress.json')
    const olderFile = join(folder, 'older.json')
    const env = { KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: topic.name, GROUP_ID: topic.name, STATE_FILE: stateFile }
    const relay = await spawnService(RELAY, topic.relayEnv)
    const publish = async (count: number): Promise<number> => {
      const posted = await topic.post(count)
      await waitFor(async () => (await topic.waiting()) === 0, { timeoutMs: 30_000 })
      return posted
    }
    await relay.ready()

    const first = await publish(20)
    await abortSome(topic)
    const killed = run(command, env)
    await waitFor(() => expect(countStored(stateFile), killed.output).toBe(first), { timeoutMs: 60_000 })
    copyFileSync(stateFile, olderFile)
    const more = publish(20)
    await waitFor(() => countStored(stateFile) > first, { timeoutMs: 30_000 })
    killed.signal('SIGKILL')
    await killed.ended
    const events = first + (await more)
    await abortSome(topic)
    // A consumer without read_committed would see more than that.
    expect(await kafka.readAll(topic.name, { readCommitted: false })).toHaveLength(events + 6)

    const again = run(command, env, '--once')
    expect({ code: await again.ended, output: again.output }).toMatchObject({ code: 0 })
    expect(again.output).toContain(`${events} events, 0 faults`)

    // Its own position counts: with an older one it reads again what the group has long committed.
    copyFileSync(olderFile, stateFile)
    expect(countStored(stateFile)).toBeLessThan(events)
    const restored = run(command, env, '--once')
    expect({ code: await restored.ended, output: restored.output }).toMatchObject({ code: 0 })
    expect(restored.output).toContain(`${events} events, 0 faults`)

    await topic.write([topic.eventOf(1, 40)], 'commit')
    await topic.write([topic.eventOf(2, 42)], 'commit')
    await topic.write([topic.eventOf(2, 41)], 'commit')
    await topic.write([topic.eventOf(3, 43)], 'commit')
    const faulty = run(command, env, '--once')
    expect({ code: await faulty.ended, output: faulty.output }).toMatchObject({ code: 1 })
    const faults = faulty.output.split('\n').filter((line) => line.includes(': wallet '))
    expect(faults.map((line) => line.replace(/ \(partition.*/, '')).sort()).toEqual([
      'double: wallet 1 had 40 before',
      'gap: wallet 2 went from 40 to 42',
      'gap: wallet 3 went from 40 to 43',
      'out of order: wallet 2 got 41 after 42',
    ])
    expect(faulty.output).toContain(`${events + 4} events, 4 faults`)

    // It has printed its faults. When stopped, it still reports what it has counted.
    const following = run(command, env)
    await topic.write([topic.eventOf(4, 41)], 'commit')
    await waitFor(() => expect(countStored(stateFile), following.output).toBe(events + 5), { timeoutMs: 60_000 })
    following.signal('SIGTERM')
    expect(await following.ended).toBe(1)
    expect(following.output).toContain(`${events + 5} events, 4 faults`)
  },
)

test('TEST_WITHOUT names only what there is to leave out', () => {
  expect([...LANGUAGES, 'prometheus', 'helm', 'patroni']).toEqual(expect.arrayContaining([...LEFT_OUT]))
})
