interface Page {
  data: { sequence: number }[]
  pagination: { next_cursor: string | null }
}

/** The maximum page size of the API, to need few steps. */
const STRIDE_ROWS = 200

/** The path of a page far down a wallet's list, found as a client would: from cursor to cursor. */
export async function findPage(
  url: string,
  token: string,
  { page, pageRows }: { page: number; pageRows: number },
): Promise<string> {
  const before = (page - 1) * pageRows
  let cursor: string | undefined
  let newest: number | undefined
  for (let passed = 0; passed < before; ) {
    const limit = Math.min(STRIDE_ROWS, before - passed)
    const { data, pagination } = await readPage(url, token, pathOf(limit, cursor))
    newest ??= data[0]?.sequence
    if (data.length < limit || pagination.next_cursor === null) throw new Error(`the list ends before page ${page}`)
    cursor = pagination.next_cursor
    passed += data.length
  }
  const path = pathOf(pageRows, cursor)
  const { data } = await readPage(url, token, path)
  if (data.length !== pageRows || (newest !== undefined && data[0]?.sequence !== newest - before)) {
    throw new Error(`page ${page} does not have the expected rows`)
  }
  return path
}

const pathOf = (limit: number, cursor: string | undefined): string =>
  `/api/v1/transactions?limit=${limit}${cursor === undefined ? '' : `&cursor=${cursor}`}`

async function readPage(url: string, token: string, path: string): Promise<Page> {
  const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${token}` } })
  if (response.status !== 200) throw new Error(`${path} was answered ${response.status}`)
  return (await response.json()) as Page
}
