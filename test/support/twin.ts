import assert from 'node:assert/strict'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'

/** A module with one thing broken on purpose, to see whether a test would notice. */
export type Sabotage = { readonly file: string; readonly from: string; readonly to: string }

/**
 * What modules export, as it would be were one of the files that they are made of broken. The file on disk stays; whatever imports them without
 * this sees nothing of it.
 *
 * @param folder Whose files are loaded anew for the twin, e.g. `src/core/decision/`; the entries and the file to break are named from there.
 */
export async function importTwin<T>(folder: string, entries: readonly string[], sabotage: Sabotage, name: string): Promise<T> {
  const root = new URL(`../../${folder}`, import.meta.url).href
  const query = `?twin=${encodeURIComponent(name)}`
  const broken = new URL(sabotage.file, root).href + query
  let isBroken = false
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      const found = next(specifier, context)
      const isOfTwin = context.parentURL?.endsWith(query) === true && found.url.startsWith(root)
      return isOfTwin ? { ...found, url: found.url + query } : found
    },
    load: (url, context, next) => {
      const loaded = next(url, context)
      if (url !== broken) return loaded
      const source = String(loaded.source)
      assert.equal(source.split(sabotage.from).length, 2, `\`${sabotage.from}\` stands once in ${fileURLToPath(url)}`)
      isBroken = true
      return { ...loaded, source: source.replace(sabotage.from, () => sabotage.to) }
    },
  })
  try {
    const twins = await Promise.all(entries.map((entry) => import(new URL(entry, root).href + query)))
    assert.ok(isBroken, `${entries.join(', ')} are not made of ${sabotage.file}`)
    return Object.assign({}, ...twins) as T
  } finally {
    hooks.deregister()
  }
}
