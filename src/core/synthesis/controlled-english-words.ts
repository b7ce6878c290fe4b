/** The words of English that the grammar itself knows. None of them is ever taken for a word of the schema. */
export const FUNCTION_WORDS = new Set(
  (
    'a an the any all every each no none nobody noone anyone anybody everyone everybody someone somebody anything everything nothing some many most few several ' +
    'who whom whose which that whoever they them their theirs he she him his her hers it its itself themselves himself herself this these those ' +
    'i we you us our my your one ' +
    'may can must shall should could would might will ought not never only if when whenever where while once unless except without with within ' +
    'of in on at by for from to into onto via through during under over above below between than as and or but nor either neither both so then ' +
    'is are was were be been being am has have had having do does did doing same own other another else there also always until before after since outside'
  ).split(' '),
)

/** Words that a noun phrase or a state can have in any schema: the grounding knows what they stand for, or asks. */
export const GENERIC_WORDS = new Set(
  (
    'person people individual individuals user users member members owner owners owned own resource resources item items object objects thing things requester caller actor principal ' +
    'request requests action actions operation give gives gave given grant granted obtained provided exist exists present true false number amount approval group'
  ).split(' '),
)

export const NUMBER_WORDS = 'zero one two three four five six seven eight nine ten'.split(' ')

/** Verbs that mean any action on their object when no action is called so. */
export const ACCESS = new Set('access accesses accessed accessing use uses used using'.split(' '))

/** What must be done about a request, besides deciding it. */
export const DUTY_VERBS = new Set(
  (
    'log logged logs record recorded audit audited notify notified inform informed report reported document documented retain retained archive archived ' +
    'watermark watermarked justify justified explain explained review reviewed sign signed encrypt encrypted redact redacted mask masked anonymize anonymized'
  ).split(' '),
)

/** Participles that are spelled like their verb. */
export const SAME_PARTICIPLE = new Set('read put set cut reset shut let hit cost split bid bet cast hurt quit rid spread run overrun come become'.split(' '))

/** Words that leave open what is ruled, and how it could be said instead. */
export const HINTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    some: 'say which ones, or say `any`',
    many: 'say which ones',
    most: 'say which ones',
    few: 'say which ones',
    several: 'say which ones',
    almost: 'say which ones',
    might: 'say `may` or `must not`',
    could: 'say `may` or `must not`',
    would: 'say `may`, `must` or `must not`',
    will: 'say `may`, `must` or `must not`',
    normally: 'say when not, with `unless`',
    usually: 'say when not, with `unless`',
    generally: 'say when not, with `unless`',
    typically: 'say when not, with `unless`',
    sometimes: 'say when, with `if`',
    occasionally: 'say when, with `if`',
    appropriate: 'say when, with an attribute of the schema',
    reasonable: 'say how much, with an attribute of the schema',
    necessary: 'say when, with an attribute of the schema',
    needed: 'say when, with an attribute of the schema',
    before: 'no rule knows the time: say it with an attribute of the schema',
    after: 'no rule knows what happened earlier: say it with an attribute of the schema',
    until: 'no rule knows the time: say it with an attribute of the schema',
    since: 'no rule knows the time: say it with an attribute of the schema',
    within: 'say it with an attribute of the schema, as `if the … is at most …`',
  }),
)
