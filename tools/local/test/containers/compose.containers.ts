import { readTopic } from '@streamledger/engines'
import { RELEASE } from '@streamledger/runtime'
import { waitFor } from '@streamledger/testkit/wait-for'
import { afterAll, beforeAll, expect, inject, onTestFailed, test } from 'vitest'
import { playStory } from '../play-story.ts'
import { type ComposeProject, createComposeProject } from './compose-project.ts'

// docker-compose.yml as it is, with each of its images, from an empty machine to an orderly stop.

const TOPIC = 'transactions'
const OURS = ['api', 'relay', 'exporter', 'audit']
/** Prometheus first: it looks around for half a minute after its restart, while the others are restarted. */
const SERVICES = ['prometheus', 'postgres', 'kafka', ...OURS]
/** There is no stand-in for these images. */
const NOT_RUN = ['grafana', 'otel-collector']
/** DRAIN_TIMEOUT_MS: a longer stop was cut off. */
const DRAIN_DEADLINE_MS = 10_000
const LOG_TAIL_LINES = 40
// It looks for addresses, scrapes and evaluates every 15 s.
const SCRAPED_DEADLINE_MS = 60_000

type Target = { labels: { job: string }; health: string }
type Rule = { name: string; health: string }

let project: ComposeProject

const play = () =>
  playStory({
    origin: project.origin,
    readTopic: (isEnough) => readTopic(project.brokers, TOPIC, isEnough ? { isEnough } : {}),
  })

const inside = (service: string, ...command: string[]) => project.compose('exec', '--no-TTY', service, ...command)

function tellOnFailure(): void {
  onTestFailed(async () => {
    console.log(await project.compose('ps', '--all'))
    console.log(await project.compose('logs', '--no-color', '--tail', String(LOG_TAIL_LINES)))
  })
}

beforeAll(async () => {
  project = await createComposeProject(inject('dockerEnv'), inject('images'))
})

afterAll(async () => {
  await project.compose('down', '--volumes', '--timeout', '1')
})

test('everything comes up in order on an empty machine, and becomes healthy', async () => {
  tellOnFailure()
  const all = (await project.compose('config', '--services')).trim().split('\n')
  expect(all.sort()).toEqual([...SERVICES, ...NOT_RUN, 'migrate'].sort())
  await project.compose('up', '--detach', '--no-build', ...SERVICES)
  await project.untilHealthy(...SERVICES)
  const migrate = await project.inspect('migrate')
  expect(migrate?.State).toMatchObject({ Status: 'exited', ExitCode: 0 })
})

test.each(SERVICES)('the %s is nobody special, and can write nowhere but where it must', async (service) => {
  tellOnFailure()
  const container = await project.inspect(service)
  expect(container?.HostConfig).toMatchObject({ ReadonlyRootfs: true, CapDrop: ['ALL'] })
  const status = await inside(service, 'cat', '/proc/1/status')
  const fieldOf = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1]
  expect(fieldOf('Uid')).toMatch(/^[1-9]/)
  for (const set of ['CapPrm', 'CapEff', 'CapBnd']) expect(fieldOf(set)).toBe('0000000000000000')
  expect(fieldOf('NoNewPrivs')).toBe('1')
  await expect(inside(service, 'touch', '/written')).rejects.toThrow('Read-only file system')
})

test('a story is played through it', async () => {
  tellOnFailure()
  await play()
})

test.each(SERVICES)('after a restart of the %s all are healthy again, and another story is played', async (service) => {
  tellOnFailure()
  const before = await project.inspect(service)
  await project.compose('restart', service)
  await project.untilHealthy(...SERVICES)
  const after = await project.inspect(service)
  expect(after?.State.StartedAt).not.toBe(before?.State.StartedAt)
  await play()
})

test('Prometheus scrapes every service, and its alerts can be evaluated', async () => {
  tellOnFailure()
  const ask = async (path: string) => {
    const response = await fetch(`${project.prometheus}/api/v1/${path}`)
    return ((await response.json()) as { data: unknown }).data
  }
  await waitFor(
    async () => {
      const { activeTargets } = (await ask('targets')) as { activeTargets: Target[] }
      const states = activeTargets.map(({ labels, health }) => [labels.job, health])
      expect(states.sort()).toEqual(OURS.map((name) => [`streamledger-${name}`, 'up']).sort())
    },
    { timeoutMs: SCRAPED_DEADLINE_MS },
  )
  await waitFor(
    async () => {
      const { groups } = (await ask('rules')) as { groups: { rules: Rule[] }[] }
      const rules = groups.flatMap((group) => group.rules)
      expect(rules.length).toBeGreaterThan(0)
      expect(rules.filter(({ health }) => health !== 'ok')).toEqual([])
    },
    { timeoutMs: SCRAPED_DEADLINE_MS },
  )
})

test('the command line in the image finds nothing wrong', async () => {
  tellOnFailure()
  expect((await inside('relay', 'streamledger', '--version')).trim()).toBe(RELEASE)
  await inside('audit', 'streamledger', 'verify')
  await inside('audit', 'streamledger', 'reconcile')
  const grants = JSON.parse(
    await project.compose('run', '--rm', '--no-TTY', 'migrate', 'streamledger', 'grants', '--json'),
  )
  expect(grants).toMatchObject({ outcome: 'there', warnings: [] })
})

test.each(OURS)('SIGTERM ends the %s with code 0, before its deadline', async (service) => {
  tellOnFailure()
  const startedAt = performance.now()
  await project.compose('stop', service)
  expect(performance.now() - startedAt).toBeLessThan(DRAIN_DEADLINE_MS)
  const container = await project.inspect(service)
  expect(container?.State).toMatchObject({ Status: 'exited', ExitCode: 0 })
})
