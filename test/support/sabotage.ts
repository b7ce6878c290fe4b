import { registerHooks } from 'node:module'

/**
 * Loaded before a test (`--import`) to break one place of the code under it: the change in ACGS_SABOTAGE, or in ACGS_TEST_SABOTAGE for a
 * process that reads its own configuration. A place that is not there ends
 * the process, so that nothing passes for sabotaged by mistake.
 */
export type Sabotage = { readonly file: string; readonly from: string; readonly to: string }

const given = process.env['ACGS_SABOTAGE'] ?? process.env['ACGS_TEST_SABOTAGE']
if (given !== undefined) {
  const { file, from, to } = JSON.parse(given) as Sabotage
  registerHooks({
    load: (url, context, next) => {
      const loaded = next(url, context)
      if (!url.endsWith(`/${file}`) || loaded.source === undefined || loaded.source === null) return loaded
      const text = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
      if (text.split(from).length !== 2) {
        console.error(`sabotage: \`${from}\` is in ${file} ${text.split(from).length - 1} times`)
        process.exit(99)
      }
      console.error(`sabotaged ${file}`)
      return { ...loaded, source: text.replace(from, () => to) }
    },
  })
}
