import type { User, Wallet as WalletRow } from '@streamledger/db'
import Type, { type Static } from 'typebox'
import { Id, Kobo, LINE_OF_TEXT, NAME, ref, Timestamp } from './common.ts'

const PersonName = (what: string) => Type.String({ minLength: 1, maxLength: 100, pattern: NAME, description: what })
const Email = Type.String({
  format: 'email',
  maxLength: 254,
  description: 'One account per address. Letter case is ignored.',
})

const exampleUser = {
  ...{ user_id: 3, first_name: 'Ada', last_name: 'Obi', email: 'ada@example.com' },
  created_at: '2026-01-05T09:00:00.000Z',
}
const exampleWallet = {
  ...{ wallet_id: 7, balance: 1_500, currency: 'NGN', sequence: 2 },
  ...{ created_at: '2026-01-05T09:00:00.000Z', updated_at: '2026-01-05T09:30:00.000Z' },
}
const exampleTokens = {
  access_token: { token: 'eyJhbGciOiJI…', expires_at: '2026-01-05T09:45:00.000Z' },
  refresh_token: { token: 'bX9c1kQ0w3Yt…', expires_at: '2026-02-04T09:30:00.000Z' },
}

export const SignUpBody = Type.Object(
  {
    first_name: PersonName('Given name.'),
    last_name: PersonName('Family name.'),
    email: Email,
    password: Type.String({
      minLength: 8,
      maxLength: 128,
      // Any character except unpaired surrogates: UTF-8 encoding would turn all of them into the same character.
      pattern: '^[^\\ud800-\\udfff]*$',
      description: '8 to 128 characters of any kind. The most common passwords are refused.',
    }),
  },
  {
    $id: 'SignUp',
    additionalProperties: false,
    examples: [{ first_name: 'Ada', last_name: 'Obi', email: 'ada@example.com', password: 'a long pass phrase' }],
  },
)

export const LogInBody = Type.Object(
  {
    email: Type.String({
      ...{ minLength: 1, maxLength: 254, pattern: LINE_OF_TEXT },
      description: 'As at sign-up. Letter case is ignored.',
    }),
    password: Type.String({ minLength: 1, maxLength: 128, description: 'Exactly as at sign-up.' }),
  },
  {
    $id: 'LogIn',
    additionalProperties: false,
    examples: [{ email: 'ada@example.com', password: 'a long pass phrase' }],
  },
)

export const RefreshBody = Type.Object(
  {
    refresh_token: Type.String({ minLength: 1, maxLength: 512, description: 'The newest refresh token you received.' }),
  },
  { $id: 'Refresh', additionalProperties: false, examples: [{ refresh_token: exampleTokens.refresh_token.token }] },
)

export const UserView = Type.Object(
  {
    user_id: Id('The user.'),
    first_name: Type.String({ description: 'Given name.' }),
    last_name: Type.String({ description: 'Family name.' }),
    email: Type.String({ description: 'As entered at sign-up.' }),
    created_at: Timestamp('When the user signed up.'),
  },
  { $id: 'User', examples: [exampleUser] },
)

export const WalletView = Type.Object(
  {
    wallet_id: Id('The wallet.'),
    balance: Kobo('The balance'),
    currency: Type.String({ description: 'ISO 4217.', examples: ['NGN'] }),
    sequence: Type.Integer({ minimum: 0, description: 'Number of its last transaction: they are numbered 1, 2, 3 …' }),
    created_at: Timestamp('When the wallet was created.'),
    updated_at: Timestamp('When the wallet was last changed.'),
  },
  { $id: 'Wallet', examples: [exampleWallet] },
)

const Token = (what: string) =>
  Type.Object({ token: Type.String({ description: what }), expires_at: Timestamp('When it expires.') })

const tokens = {
  access_token: Token('For the Authorization header: `Bearer <token>`.'),
  refresh_token: Token('For one call of /auth/refresh, which returns the next pair.'),
}

export const TokensView = Type.Object(tokens, { $id: 'Tokens', examples: [exampleTokens] })
export const SignedInView = Type.Object(
  { user: ref(UserView), wallet: ref(WalletView), ...tokens },
  { $id: 'SignedIn', examples: [{ user: exampleUser, wallet: exampleWallet, ...exampleTokens }] },
)
export const OwnedWalletView = Type.Object(
  { user: ref(UserView), wallet: ref(WalletView) },
  { $id: 'OwnedWallet', examples: [{ user: exampleUser, wallet: exampleWallet }] },
)

export const accountSchemas = [
  SignUpBody,
  LogInBody,
  RefreshBody,
  UserView,
  WalletView,
  TokensView,
  SignedInView,
  OwnedWalletView,
]

export function toUserView(user: Omit<User, 'password'>): Static<typeof UserView> {
  return {
    user_id: user.id,
    first_name: user.first_name,
    last_name: user.last_name,
    email: user.email,
    created_at: user.created_at.toISOString(),
  }
}

export function toWalletView(wallet: WalletRow): Static<typeof WalletView> {
  return {
    wallet_id: wallet.id,
    balance: wallet.balance,
    currency: wallet.currency,
    sequence: wallet.sequence,
    created_at: wallet.created_at.toISOString(),
    updated_at: wallet.updated_at.toISOString(),
  }
}
