import type { Browser } from 'playwright-core'

// Arguments for a browser that runs as root in a container, without a graphics card. The default arguments of the package
// are not used: they turn off origin checks, which the tests need.
const ARGUMENTS = [
  '--no-sandbox',
  '--no-zygote',
  '--single-process',
  '--in-process-gpu',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
]

/** A real Chromium from npm, so that no browser must be installed. Most tests need none, so it is loaded only here. */
export async function startChromium(): Promise<Browser> {
  const [{ default: chromium }, { chromium: playwright }] = await Promise.all([
    import('@sparticuz/chromium'),
    import('playwright-core'),
  ])
  return playwright.launch({ executablePath: await chromium.executablePath(), args: ARGUMENTS, headless: true })
}
