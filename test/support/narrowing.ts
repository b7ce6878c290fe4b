/**
 * What of a migration the release before may not survive: it works on the same schema while the next one rolls out, so a migration only adds.
 *
 * Read from the text, so it is careful rather than clever: a statement that is harmless for another reason is named, too.
 *
 * @returns The statements, as they are written; empty when it only expands.
 */
export function narrowing(sql: string): readonly string[] {
  const statements = split(sql)
  const made = new Set(statements.flatMap((each) => /^create table (?:if not exists )?([\w.]+)/i.exec(each)?.[1] ?? []))
  return statements.filter((statement) => {
    if (/^(drop (?!index\b)|truncate\b|delete\b|revoke\b|create (or replace )?(constraint )?trigger\b|create (or replace )?rule\b)/i.test(statement)) return true
    const index = /^create unique index (?:concurrently )?(?:if not exists )?\w+ on (?:only )?([\w.]+)/i.exec(statement)?.[1]
    if (index !== undefined) return !made.has(index)
    const altered = /^alter (\w+) (?:if exists )?(?:only )?([\w.]+) (.*)$/is.exec(statement)
    if (altered === null) return false
    const [, kind, name, actions] = altered as unknown as [string, string, string, string]
    return kind.toLowerCase() !== 'table' || made.has(name) ? /\brename\b/i.test(actions) : actionsOf(actions).some(narrows)
  })
}

/** One of the actions of an `alter table`, on a table that others know already. */
function narrows(action: string): boolean {
  const column = /^add (?:column )?(?:if not exists )?(?!constraint\b|check\b|unique\b|primary\b|foreign\b|exclude\b)\w+ (.*)$/is.exec(action)?.[1]
  if (column !== undefined) return (/\bnot null\b/i.test(column) && !/\b(default|generated)\b/i.test(column)) || /\b(check|unique|primary key|references)\b/i.test(column)
  return /^(add|drop|rename|set schema|enable|force)\b|^alter\b.*\b(type|set not null|drop default|drop identity|set generated)\b/is.test(action)
}

/** Parts between commas that stand outside of all parentheses. */
function actionsOf(text: string): readonly string[] {
  const parts = ['']
  let depth = 0
  for (const character of text) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts.map((part) => part.trim())
}

/** The statements without comments, texts and bodies of functions. */
function split(sql: string): readonly string[] {
  const bare = sql.replace(/--.*$|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/gm, (found) => (found.startsWith("'") || found.startsWith('$') ? "''" : ''))
  return bare.split(';').map((each) => each.trim().replace(/\s+/g, ' ')).filter((each) => each !== '')
}
