import fp from 'fastify-plugin'

export interface TellUntrustedProxyOptions {
  trustedProxies: readonly string[]
}

/** Says once that requests come through a proxy that is not trusted: the limits would count all its clients as one. */
export const tellUntrustedProxy = fp<TellUntrustedProxyOptions>(
  async (app, { trustedProxies }) => {
    if (trustedProxies.length > 0) return
    let told = false
    app.addHook('onRequest', ({ headers }, _reply, done) => {
      if (!told && headers['x-forwarded-for'] !== undefined) {
        told = true
        app.log.warn('requests have X-Forwarded-For and TRUST_PROXY is not set: its addresses are not believed')
      }
      done()
    })
  },
  { name: 'tell-untrusted-proxy' },
)
