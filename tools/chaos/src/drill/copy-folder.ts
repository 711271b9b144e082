import { chmod, chown, copyFile, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

const MODE_MASK = 0o777

/**
 * Copies the contents of a folder, with owners and modes, except paths that the filter excludes. Files may change or
 * disappear meanwhile. Returns the number of bytes.
 */
export async function copyFolder(from: string, to: string, wanted: (path: string) => boolean): Promise<number> {
  return copyBelow({ from, to, wanted }, '')
}

interface Copying {
  from: string
  to: string
  wanted: (path: string) => boolean
}

async function copyBelow(copying: Copying, path: string): Promise<number> {
  const { from, to, wanted } = copying
  await mkdir(join(to, path), { recursive: true })
  await takeOver(join(from, path), join(to, path))
  let bytes = 0
  for (const entry of await readdir(join(from, path), { withFileTypes: true })) {
    const below = join(path, entry.name)
    if (!wanted(below)) continue
    bytes += entry.isDirectory() ? await copyBelow(copying, below) : await copyOne(join(from, below), join(to, below))
  }
  return bytes
}

async function copyOne(from: string, to: string): Promise<number> {
  try {
    await copyFile(from, to)
    return await takeOver(from, to)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0 // a table that was dropped, a file of a sort
    throw error
  }
}

async function takeOver(from: string, to: string): Promise<number> {
  const { uid, gid, mode } = await stat(from)
  await chmod(to, mode & MODE_MASK)
  await chown(to, uid, gid)
  return (await stat(to)).size
}
