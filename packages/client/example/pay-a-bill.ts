// A program that uses the ledger: npx node packages/client/example/pay-a-bill.ts [http://127.0.0.1:3000]
// Run it while `npm start` is running, kill the API meanwhile, and see that nothing is paid twice.
import { createLedgerClient, ProblemError } from '../src/index.ts'

const client = createLedgerClient({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:3000' })
const print = (line: string): unknown => process.stdout.write(`${line}\n`)
const naira = (kobo: number): string => (kobo / 100).toLocaleString('en-NG', { style: 'currency', currency: 'NGN' })

const email = `${crypto.randomUUID()}@example.com`
const { user } = await client.signUp({ first_name: 'Ada', last_name: 'Obi', email, password: 'a-quiet-harbour-42' })
print(`${user.first_name} has signed up`)

const salary = await client.post({ entry: 'credit', amount: 5_000_00, trans_id: 'salary-november' })
print(`salary: the balance is ${naira(salary.transaction.balance)}`)

// The bill's number is the trans_id, so the bill is paid once, even if another program or a later run tries again.
for (const attempt of ['first', 'second']) {
  const { transaction, replayed } = await client.post({ entry: 'debit', amount: 1_200_00, trans_id: 'bill-4711' })
  print(`${attempt} try: ${replayed ? 'was paid before' : 'paid'}, the balance is ${naira(transaction.balance)}`)
}

try {
  await client.post({ entry: 'debit', amount: 1_000_000_00, trans_id: 'yacht' })
} catch (error) {
  if (!(error instanceof ProblemError)) throw error
  print(`the yacht: ${error.problem.detail} There are ${naira(error.problem.balance ?? 0)}.`)
}

for await (const { sequence, entry, amount, balance } of client.transactions()) {
  print(`${sequence}. ${entry} ${naira(amount)}, then ${naira(balance)}`)
}
await client.logOut()
