import { expect, test } from '@streamledger/testkit'
import { commonPasswords } from '../src/accounts/common-passwords.ts'

test('the 3,000 passwords that are tried first are known, none of them too short to be accepted otherwise', () => {
  expect(commonPasswords.size).toBeGreaterThanOrEqual(3_000)
  for (const password of ['password', '12345678', 'trustno1', 'iloveyou', 'qwertyuiop', 'streamledger']) {
    expect(commonPasswords).toContain(password)
  }
  for (const password of commonPasswords) {
    expect(password.length).toBeGreaterThanOrEqual(8)
    expect(password).toBe(password.toLowerCase())
  }
})
