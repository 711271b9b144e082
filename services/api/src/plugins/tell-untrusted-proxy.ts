import fp from 'fastify-plugin'

export interface TellUntrustedProxyOptions {
  trustedProxies: readonly string[]
}

/** Warns once that requests come through an untrusted proxy: the limits then count all its clients as one address. */
export const tellUntrustedProxy = fp<TellUntrustedProxyOptions>(
  async (app, { trustedProxies }) => {
    if (trustedProxies.length > 0) return
    let told = false
    app.addHook('onRequest', ({ headers }, _reply, done) => {
      if (!told && headers['x-forwarded-for'] !== undefined) {
        told = true
        app.log.warn('requests have X-Forwarded-For, which is ignored because TRUST_PROXY is not set')
      }
      done()
    })
  },
  { name: 'tell-untrusted-proxy' },
)
