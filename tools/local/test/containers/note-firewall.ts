import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { runToEnd } from './docker-cli.ts'

const DOCKERS_OWN = /\bDOCKER\b|\bDOCKER-|\bdocker0\b|\bbr-[0-9a-f]{12}\b|-j MASQUERADE/
const POLICY = /^:FORWARD \S+/m

/** An engine leaves its rules, its bridge and a closed FORWARD chain on the machine: where there was none, they are taken away. */
export async function noteFirewall(): Promise<{ restore(): Promise<void> }> {
  const before = await runToEnd('iptables-save', [])
  const hadDocker = before.includes('DOCKER')
  return {
    restore: async () => {
      if (hadDocker) return
      const kept = new Set(before.split('\n'))
      const policy = POLICY.exec(before)?.[0] ?? ':FORWARD ACCEPT'
      const rules = (await runToEnd('iptables-save', []))
        .split('\n')
        .filter((line) => kept.has(line) || !DOCKERS_OWN.test(line))
        .map((line) => (line.startsWith(':FORWARD DROP') ? `${policy} [0:0]` : line))
      await restoreRules(rules.join('\n'))
      await runToEnd('ip', ['link', 'delete', 'docker0'])
    },
  }
}

async function restoreRules(rules: string): Promise<void> {
  const child = spawn('iptables-restore', { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(rules)
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`iptables-restore ended with ${code}: rules of Docker are left on this machine`)
}
