import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { EngineError } from './engine-error.ts'

const JAVA_MAJOR_MIN = 17
// A cold JVM on a busy machine answers in about a second. After this time java counts as missing.
const VERSION_DEADLINE_MS = 20_000

/** Returns the java program to use, after checking that its version is new enough for Kafka. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const java = env.JAVA_HOME ? join(env.JAVA_HOME, 'bin', 'java') : 'java'
  const major = majorOf(await askVersion(java, env))
  if (major < JAVA_MAJOR_MIN) throw new EngineError('java_too_old', { detail: `Found ${major} (${java}).` })
  return java
}

async function askVersion(java: string, env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const { stderr } = await promisify(execFile)(java, ['-version'], { env, timeout: VERSION_DEADLINE_MS })
    return stderr
  } catch (error) {
    throw new EngineError('java_missing', { cause: error, ...(env.JAVA_HOME ? { detail: `Tried ${java}.` } : {}) })
  }
}

function majorOf(answer: string): number {
  // "17.0.15", "21", or, up to Java 8, "1.8.0_402".
  const match = /version "(?:1\.)?(\d+)/.exec(answer)
  return match ? Number(match[1]) : 0
}
