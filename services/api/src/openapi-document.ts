import { buildOfflineApi } from './offline-api.ts'

// Prints the OpenAPI document, for docs/openapi.json.
const { app, close } = await buildOfflineApi()
process.stdout.write(`${JSON.stringify(app.swagger(), null, 2)}\n`)
await close()
