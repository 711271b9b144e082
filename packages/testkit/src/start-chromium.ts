import type { Browser } from 'playwright-core'

// What a browser needs that runs as root in a container, without a graphics card. Not the package's own arguments, which
// switch the checks of origins off: they are among what a test is about.
const ARGUMENTS = [
  '--no-sandbox',
  '--no-zygote',
  '--single-process',
  '--in-process-gpu',
  '--use-gl=angle',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
]

/** A real Chromium, from npm: nobody has to install a browser. Most tests want none, so it is loaded only here. */
export async function startChromium(): Promise<Browser> {
  const [{ default: chromium }, { chromium: playwright }] = await Promise.all([
    import('@sparticuz/chromium'),
    import('playwright-core'),
  ])
  return playwright.launch({ executablePath: await chromium.executablePath(), args: ARGUMENTS, headless: true })
}
