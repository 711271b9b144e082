import { startChromium } from '@streamledger/testkit'
import type { Locator, Page } from 'playwright-core'
import { test as base, expect } from './api.ts'

/** The page in a browser, and all errors on it. */
const test = base.extend('opened', async ({ api }, { onCleanup }) => {
  const browser = await startChromium()
  onCleanup(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } })
  const troubles: string[] = []
  page.on('pageerror', (error) => troubles.push(error.message))
  page.on('requestfailed', (request) => troubles.push(`${request.url()} failed`))
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(message.text())
  })
  const foreign: string[] = []
  page.on('request', (request) => {
    if (!request.url().startsWith(api.url) && !request.url().startsWith('data:')) foreign.push(request.url())
  })
  const response = await page.goto(`${api.url}/docs`)
  return { page, policy: response?.headers()['content-security-policy'], troubles, foreign }
})

/** Opens the panel that tries an operation. */
async function open(page: Page, operation: RegExp): Promise<Locator> {
  await page.getByRole('button', { name: operation }).first().click()
  const dialog = page.getByRole('dialog')
  await dialog.waitFor()
  return dialog
}

/** Sends the request of the page, and returns the answer. */
async function send(page: Page, dialog: Locator, path: string) {
  const answered = page.waitForResponse((response) => new URL(response.url()).pathname === path)
  await dialog.getByRole('button', { name: /^Send/ }).first().click()
  const response = await answered
  return { status: response.status(), json: await response.json() }
}

async function close(page: Page, dialog: Locator): Promise<void> {
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
}

test('a reader signs up, logs in and posts a transaction from the page, and nothing on it fails', async ({
  api,
  opened: { page, policy, troubles, foreign },
}) => {
  const signUp = await open(page, /Test Request.*\/auth\/signup/)
  expect(await send(page, signUp, '/api/v1/auth/signup')).toMatchObject({ status: 201 })
  await close(page, signUp)

  const logIn = await open(page, /Test Request.*\/auth\/login/)
  const { status, json } = await send(page, logIn, '/api/v1/auth/login')
  expect(status).toBe(200)
  await logIn.getByPlaceholder('Token').fill(json.access_token.token)
  await close(page, logIn)

  // The token is kept for every path of the page.
  await page.getByRole('button', { name: 'Open Group - transactions' }).click()
  await page.getByRole('link', { name: 'Credit or debit' }).click()
  const post = await open(page, /Test Request.*post \/api\/v1\/transactions\)/)
  const posted = await send(page, post, '/api/v1/transactions')
  expect(posted).toMatchObject({ status: 201, json: { entry: 'credit', sequence: 1 } })
  await post.getByText('201 Created').waitFor()

  expect(policy).toContain("default-src 'none'")
  expect(policy).not.toContain('unsafe-eval')
  expect(policy?.split('; ').find((part) => part.startsWith('script-src'))).not.toContain('unsafe-inline')
  expect(troubles).toEqual([])
  expect(foreign).toEqual([])
  expect(json.wallet.wallet_id).toBe(posted.json.wallet_id)
  expect(api.url).toBe(new URL(page.url()).origin)
})
