import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { AnswerFile } from '../load/answer-file.ts'
import { Load } from '../load/load.ts'
import type { User } from '../load/sign-up.ts'
import type { Drill } from './drill.ts'

/** Clients that post for a part of the drill. */
export interface Stage {
  readonly load: Load
  /** The file with their answers. */
  readonly file: string
  /** Waits until each client has its final answer. */
  stop(): Promise<void>
}

/** Lets these users post until stopped, at the configured rate. */
export function stageLoad(drill: Drill, name: string, users: readonly User[] = drill.users): Stage {
  const file = join(drill.dir, `answers-${name}.ndjson`)
  rmSync(file, { force: true })
  const answers = new AnswerFile(file)
  const onWrong = (line: string) => drill.account.claim(false, 'no client gets a wrong answer', line)
  const load = new Load({ apiUrls: drill.stack.apiUrls, users, rate: drill.rate, answers, onWrong })
  return {
    load,
    file,
    stop: async () => {
      await load.stop()
      await answers.close()
    },
  }
}
