import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import { getWallet } from '../ledger/get-wallet.ts'
import { OwnedWalletView, toUserView, toWalletView } from '../schemas/account.ts'
import { answer } from '../schemas/common.ts'
import { problems } from '../schemas/problem.ts'

export interface WalletRoutesOptions {
  db: Db
}

export const walletRoutes: FastifyPluginAsyncTypebox<WalletRoutesOptions> = async (app, { db }) => {
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
      const { user, wallet } = await getWallet(db, request.user.id)
      return { user: toUserView(user), wallet: toWalletView(wallet) }
    },
  )
}
