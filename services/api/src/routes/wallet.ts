import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { WalletReader } from '../ledger/wallet-reader.ts'
import { OwnedWalletView, toUserView, toWalletView } from '../schemas/account.ts'
import { answer } from '../schemas/common.ts'
import { problems } from '../schemas/problem.ts'

export interface WalletRoutesOptions {
  wallets: WalletReader
}

export const walletRoutes: FastifyPluginAsyncTypebox<WalletRoutesOptions> = async (app, { wallets }) => {
  app.get(
    '/wallet',
    {
      schema: {
        tags: ['wallet'],
        operationId: 'getWallet',
        summary: 'Your details and your wallet',
        security: [{ access_token: [] }],
        response: { 200: answer(OwnedWalletView, 'You and your wallet.'), ...problems(401, 404) },
      },
    },
    async (request) => {
      const { user, wallet } = await wallets.read(request.user.id)
      return { user: toUserView(user), wallet: toWalletView(wallet) }
    },
  )
}
