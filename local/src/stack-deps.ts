import type { LocalConfig } from './local-config.ts'
import type { Screen } from './screen.ts'
import type { StopSignal } from './stop-signal.ts'

/** What either kind of stack is run with. */
export type StackDeps = { readonly config: LocalConfig; readonly screen: Screen; readonly stop: StopSignal }
