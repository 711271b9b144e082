import { FIX_STEPS } from './check-steps.ts'
import { runSteps } from './run-steps.ts'
import { withScratchPostgres } from './with-scratch-postgres.ts'

process.exitCode = (await withScratchPostgres((env) => runSteps(FIX_STEPS, env))) ? 0 : 1
