import type { LocalConfig } from './local-config.ts'
import type { Screen } from './screen.ts'
import type { StopSignal } from './stop-signal.ts'

/** Dependencies of both kinds of stack. */
export type StackDeps = { readonly config: LocalConfig; readonly screen: Screen; readonly stop: StopSignal }
