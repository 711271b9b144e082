import { describe, expect, test } from 'vitest'
import { apiEnv, loadApiConfig } from '../src/config.ts'
import { makeEnv } from './api.ts'

const load = (env: Record<string, string> = {}) => loadApiConfig(makeEnv('postgres://127.0.0.1/none', env))

describe('the configuration', () => {
  test('has a default for all but what only the operator can know', () => {
    const required = Object.keys(apiEnv.properties).filter((name) => apiEnv.required?.includes(name as never))
    const config = load()
    expect(config.tokens).toMatchObject({ accessTtlS: 900, refreshGraceMs: 10_000 })
    expect(config.exports.unfinishedMax).toBe(5)
    const missing = required.filter((name) => {
      const env = makeEnv('postgres://127.0.0.1/none')
      delete env[name]
      try {
        loadApiConfig(env)
        return false
      } catch {
        return true
      }
    })
    expect(missing.sort()).toEqual(['DATABASE_URL', 'EXPORT_DIR', 'INSTALLATION_ID', 'JWT_SECRET'])
  })

  test('describes every variable', () => {
    for (const [name, schema] of Object.entries(apiEnv.properties)) {
      expect((schema as { description?: string }).description, name).toMatch(/^[A-Z].*\.$/)
    }
  })

  test('refuses secrets under 32 bytes, and never repeats them', () => {
    const short = 'only 31 bytes long, as you see.'
    expect(Buffer.byteLength(short)).toBe(31)
    expect(() => load({ JWT_SECRET: short })).toThrow(
      /^configuration: JWT_SECRET must have at least 32 bytes \(example: the output of openssl/,
    )
    expect(() => load({ JWT_SECRET: '' })).toThrow(/JWT_SECRET/)
    expect(() => load({ JWT_SECRET_PREVIOUS: short })).toThrow(/JWT_SECRET_PREVIOUS must have/)
    expect(load({ JWT_SECRET: 'ä'.repeat(16) }).tokens.secrets).toHaveLength(1)
    expect(load({ JWT_SECRET_PREVIOUS: 'p'.repeat(32) }).tokens.secrets).toHaveLength(2)
    expect(load({ JWT_SECRET_PREVIOUS: '' }).tokens.secrets).toHaveLength(1)
  })

  test('refuses a stop whose first part alone would take longer than the whole', () => {
    expect(load({ DRAIN_TIMEOUT_MS: '5001', DRAIN_DELAY_MS: '5000' }).http.drainDelayMs).toBe(5_000)
    expect(() => load({ DRAIN_TIMEOUT_MS: '5000', DRAIN_DELAY_MS: '5000' })).toThrow(/^configuration: DRAIN_DELAY_MS/)
  })

  test('names every variable that does not parse', () => {
    expect(() => load({ PORT: 'http', INSTALLATION_ID: 'mine', TOPIC_PARTITIONS: '0', LOG_LEVEL: 'loud' })).toThrow(
      /PORT.*INSTALLATION_ID|INSTALLATION_ID.*PORT/s,
    )
  })

  test('takes for trusted proxies addresses and networks, and nothing that would trust everybody', () => {
    const trusted = (TRUST_PROXY: string) => load({ TRUST_PROXY }).limits.trustedProxies
    expect(load().limits.trustedProxies).toEqual([])
    expect(trusted('10.0.0.0/8, ::1,loopback , fd00::/8')).toEqual(['10.0.0.0/8', '::1', 'loopback', 'fd00::/8'])
    for (const wrong of [
      'true',
      '1',
      'nginx',
      '10.0.0.0/33',
      '10.0.0/8',
      '0.0.0.0/0',
      '::/0',
      '10.0.0.1/',
      '1.2.3.4,x',
    ]) {
      expect(() => load({ TRUST_PROXY: wrong }), wrong).toThrow(/^configuration: TRUST_PROXY must list addresses/)
    }
  })

  test('writes an installation id as Postgres does', () => {
    const upper = '7D0C8F0E-9B1C-4F5E-8A55-8D2F6F4F9A01'
    expect(load({ INSTALLATION_ID: upper }).installation.installationId).toBe(upper.toLowerCase())
  })
})
