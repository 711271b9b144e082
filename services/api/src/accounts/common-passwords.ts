// Eight characters or more, in lower case: shorter ones are refused for their length.
const WORDS = ['password', 'letmein', 'welcome', 'qwertyui', 'iloveyou', 'sunshine', 'princess', 'football', 'baseball']
const ENDINGS = ['', '1', '12', '123', '1234', '!', '2024', '2025', '2026']
const SEQUENCES = [
  '12345678',
  '123456789',
  '1234567890',
  '87654321',
  '987654321',
  '11111111',
  '00000000',
  '88888888',
  '12341234',
  '123123123',
  '11223344',
  '1q2w3e4r',
  '1qaz2wsx',
  'q1w2e3r4',
  'qwertyuiop',
  'qwerty123',
  'qwerty1234',
  'asdfghjkl',
  'zxcvbnm1',
  'abcd1234',
  'abc12345',
  'abcdefgh',
  'aa123456',
  'passw0rd',
  'p@ssw0rd',
  'changeme',
  'superman',
  'trustno1',
  'streamledger',
]

/** What a guesser tries first. */
export const commonPasswords: ReadonlySet<string> = new Set([
  ...SEQUENCES,
  ...WORDS.flatMap((word) => ENDINGS.map((ending) => word + ending)),
])
