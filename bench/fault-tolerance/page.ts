import { FAULT_CLASSES } from '#core/injection/faults.ts'
import { clopperPearson } from '#core/injection/interval.ts'
import { reliabilityOf, type Reliability } from '#core/injection/reliability.ts'
import type { Tally } from '#core/injection/tally.ts'
import { KNOWN, type Known } from '#core/injection/trial.ts'
import { classPosterior } from '#core/syndrome/confidence.ts'
import { barChart, reliabilityChart, type Point } from './chart.ts'
import { partsOf } from './basis.ts'
import type { FaultTolerance, Part } from './run.ts'
import type { Where } from './representations.ts'
import type { Measured } from './trials.ts'

/** docs/fault-tolerance.md: every figure in it is measured, none is typed in. */
export function renderPage(measured: FaultTolerance): string {
  const { versions, machine, hasApplications } = measured
  const { representations, natural, ambiguous } = readersOf(measured)
  const all = settingsOf(measured)
  const [minority, correlated, rates] = [minorityOf(all), all.filter(({ setting }) => setting.isCorrelated), all.filter(({ setting }) => 'rate' in setting.faulty)]
  const knownAs = (known: Known) => correlated.filter(({ setting }) => setting.known === known)
  const uncompared = all.filter(({ setting: { known, isCorrelated } }) => known === 'uncompared' && !isCorrelated)
  const [first] = minority
  const parts = partsOf(measured)
  const sum = (some: readonly Measured[], of: (one: Measured) => number) => some.reduce((total, one) => total + of(one), 0)
  const independentTrials = sum(minority, ({ all: { ours } }) => ours.trials)
  const falseMinority = sum(minority, ({ all: { ours } }) => ours.false_accepts)
  const majorityRight = [...minority, ...rates].map(({ majority_right: counts }) => counts)
  const rightFaulty = majorityRight.reduce((total, { faulty }) => total + faulty, 0)
  const rightCorrected = majorityRight.reduce((total, { corrected }) => total + corrected, 0)
  const single = minority.find(({ setting: { id } }) => id === '3-1')?.all.ours
  const detected = representations.detected.filter(({ trials }) => trials > 0)
  const [fired, tried] = [detected.reduce((total, each) => total + each.fired, 0), detected.reduce((total, each) => total + each.trials, 0)]
  const wrongOf = (some: readonly Measured[], who: 'ours' | 'voting') => sum(some, (one) => one.all[who].false_accepts)
  const target = (isMet: boolean) => (isMet ? 'met' : '**missed**')
  const tenth = (some: readonly Measured[]) => `${ratio(wrongOf(some, 'ours'), wrongOf(some, 'voting'))} | ${target(wrongOf(some, 'ours') * 10 <= wrongOf(some, 'voting'))}`
  const reliability = reliabilityIn(measured)
  const open = ambiguous.first.filter(({ isSettledBySchema }) => !isSettledBySchema)
  const { fresh } = ambiguous
  const needless = ambiguous.plain.filter(({ said, isNamed }) => said !== 'silent' && isNamed)
  const isNamedOnly = ({ said, isNamed }: (typeof open)[number]) => isNamed && said !== 'silent' && said !== 'asked'
  const silent = open.filter(({ said }) => said === 'silent')
  const withExamples = representations.majority.filter(({ with: known }) => known.includes('examples'))
  const sumOf = (some: typeof withExamples, of: 'accepted_wrong' | 'voted_wrong') => some.reduce((total, one) => total + one[of], 0)
  const bothWrong = majorityScene(representations.majority, 'both readers with the same fault, nobody else')

  return `<!-- Made by \`npm run fault-tolerance\` from bench/fault-tolerance/measured.json; a test compares them. -->
# Fault tolerance, measured

*A policy whose candidates contain faults comes out right, or does not come out.* How far that is so, and where it is not. What a trial is and does:
[fault injection](concepts/fault-injection.md).

Measured ${spread(parts.map(({ at }) => at))}, seed ${spread(parts.map(({ seed }) => String(seed)))}, ${spread(parts.map(({ instances }) => String(instances)))} instances of a fault class wanted: ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ')}; ${machine.cpu},
${machine.cores} processors. It took ${Math.round(parts.reduce((total, { seconds }) => total + seconds, 0) / 60)} minutes of work in parts; the same seed makes the same trials on any machine. \`npm run fault-tolerance\` does it again.
${basisSaid(parts)}

The policies: ${first?.policies.filter(({ from }) => from === 'packs').length ?? 0} that the packs' requests mean, each read whole, decided as written beside it and let through by the constitution; ${hasApplications ? `${first?.policies.filter(({ from }) => from === 'applications').length ?? 0} sets of seven applications that others wrote for Cedar, which are not part of this repository` : 'the seven applications that others wrote for Cedar were **not there**, so that none of theirs is in these figures'}: ${(first?.policies ?? []).map(({ name, rules }) => `${name} (${rules} rules)`).join(', ')}.${refusedSaid(first)}

## What was wanted, and what came of it

| wanted | measured | |
|---|---|---|
| one faulty candidate among three is always detected | ${figure(single?.detected ?? 0, single?.faulty ?? 0)} | ${target(single !== undefined && single.detected === single.faulty && single.faulty > 0)} |
| with independent faults in a minority, nothing is falsely accepted in at least 2000 trials | ${figure(falseMinority, independentTrials)} | ${target(falseMinority === 0 && independentTrials >= 2_000)}${independentTrials < 2_000 ? ' (too few trials)' : ''} |
| wherever more than half of the candidates are right at every request, that comes out | ${figure(rightCorrected, rightFaulty)} | ${target(rightCorrected === rightFaulty && rightFaulty > 0)} |
| faults in norms, decision table, document and examples are detected in at least 99 % with three readers | ${figure(fired, tried)} | ${target(tried > 0 && fired / tried >= 0.99)} |
| the same fault in most candidates is falsely accepted at most a tenth as often as by voting, candidates and constitution alone: where they are known to come from one source | ${tenth(knownAs('one-source'))} |
| … where nobody has compared how they err | ${tenth(knownAs('uncompared'))} |
| … and the author's examples beside them, over all of the following | ${ratio(sumOf(withExamples, 'accepted_wrong'), sumOf(withExamples, 'voted_wrong'))} | ${target(sumOf(withExamples, 'accepted_wrong') * 10 <= sumOf(withExamples, 'voted_wrong'))} |
${withExamples.map(({ readers, accepted_wrong: wrong, voted_wrong: voted }) => `| … … ${readers} | ${ratio(wrong, voted)} | ${target(wrong * 10 <= voted)} |`).join('\n')}

In the first three lines candidates err independently, and the decoder is told so, as the counts of \`acgs weights\` tell it of methods that were compared. Where that is what was counted and they have the same fault all the same, ${wrongOf(knownAs('independent'), 'ours')} of ${sum(knownAs('independent'), ({ all: { ours } }) => ours.trials)} come out wrong: [no
decoder can tell](#the-same-fault-in-most-candidates).

Decoding seven candidates is timed by \`npm run bench -- decode\`, a whole measurement by \`npm run bench -- syndrome\`. In brackets, here and below: the exact 95 % interval (Clopper and Pearson, 1934).

## Independent faults in a minority, candidates and constitution alone

Every candidate says the original in other words; k of n are broken, each by a fault of its own that is proved to change the meaning. Right: what came out is
proved to mean the original. *Located*: the product's own decoder ([decoding](concepts/decoding.md)) blames exactly the broken ones. What comes out is settled as generation settles it: whom
the decoder leaves standing, proved to be the majority at every request; else a majority that is found and proved; else nothing.

![Falsely accepted](fault-tolerance/minority.svg)

| n, k | trials | detected | located | corrected | refused | falsely accepted | plain voting wrong | voting by text wrong | one candidate wrong |
|---|---|---|---|---|---|---|---|---|---|
${minority.map(rowOf).join('\n')}

Plain voting decides at every request as most candidates do; it is no policy that anybody can read, and it never refuses.${wrongOf(minority, 'voting') <= falseMinority ? ' With independent faults in a minority it is as often right as ours: that is what a majority is.' : ''} ${sum(minority, ({ equivalent_mutants: equivalent }) => equivalent)} mutants that were proved to mean the same were made again.

### By fault class, over all of these

| class | | trials | detected | located | corrected | refused | falsely accepted | plain voting wrong | text wrong | one candidate wrong |
|---|---|---|---|---|---|---|---|---|---|---|
${FAULT_CLASSES.map(({ id, what }) => classRow(id, what, minority)).join('\n')}

Of each class with n = 3, k = 1 there were ${spread(FAULT_CLASSES.map(({ id }) => String(first?.by_class[id]?.ours.trials ?? 0)))} trials. Where k is more than 1 the other broken candidates have faults of other classes.

What came of each class with each n and k, as corrected of trials, then refused, then falsely accepted:

| class | ${minority.map(({ setting: { candidates, faulty } }) => `${candidates}, ${'count' in faulty ? faulty.count : ''}`).join(' | ')} |
|---|${minority.map(() => '---|').join('')}
${FAULT_CLASSES.map(({ id }) => `| ${id} | ${minority.map(({ by_class: classes }) => classCell(classes[id]?.ours)).join(' | ')} |`).join('\n')}

## Faults that fall on each candidate with probability p

Minority and majority both happen; what comes out wrong is falsely accepted, and nothing is hidden by choosing k.

![Faults by probability](fault-tolerance/rates.svg)

| n, p | trials | with a fault | detected | corrected | refused | falsely accepted | plain voting wrong | one candidate wrong |
|---|---|---|---|---|---|---|---|---|
${rates.map(({ setting, all: { ours: each, voting, single: alone } }) => `| ${setting.candidates}, ${'rate' in setting.faulty ? setting.faulty.rate : ''} | ${each.trials} | ${each.faulty} | ${figure(each.detected, each.faulty)} | ${figure(each.corrected, each.faulty)} | ${figure(each.refused, each.trials)} | ${figure(each.false_accepts, each.trials)} | ${figure(voting.false_accepts, voting.trials)} | ${figure(alone.false_accepts, alone.trials)} |`).join('\n')}

## The same fault in most candidates

Where voting fails. *One source*: the product knows that the broken ones share a method or a model, and counts them as one witness. *Not compared*: nobody has counted how often they err together, so
that they count as one witness too. *Independent*: so it was counted, they erred together as often as chance has it; and here they have the same fault. (\`acgs inject --known one-source\`, \`uncompared\`, \`independent\`.)

![Correlated faults](fault-tolerance/correlated.svg)

| n, k | | trials | detected | corrected | refused | falsely accepted | plain voting wrong |
|---|---|---|---|---|---|---|---|
${correlated.map(({ setting, all: { ours: each, voting } }) => `| ${setting.candidates}, ${'count' in setting.faulty ? setting.faulty.count : ''} | ${KNOWN_AS[setting.known]} | ${each.trials} | ${figure(each.detected, each.faulty)} | ${figure(each.corrected, each.faulty)} | ${figure(each.refused, each.trials)} | ${figure(each.false_accepts, each.trials)} | ${figure(voting.false_accepts, voting.trials)} |`).join('\n')}

That most candidates agree on a fault is seen. Where they count as independent it does not help: the minority is blamed, and the constitution refuses what it forbids, and no more. No decoder can do better
without doing worse elsewhere. Two that are right beside one that is wrong, and two that are wrong alike beside one that is right, are the same three meanings to whoever sees only them: who corrects in the first
case, as the third line above demands of independent candidates, accepts the fault in the second, and who refuses in the second corrects nothing in the first. What tells them apart has to come from elsewhere: a
common source that is known, the constitution, norms, an example, or that how they err together was never counted. So what nobody has compared is not taken for independent ([weights](concepts/decoding.md#weights)).

What that costs: of candidates that nobody has compared nothing is corrected either. A disagreement between them is a question to the author.

| n, k | independent faults, not compared | trials | detected | corrected | refused | falsely accepted | plain voting wrong |
|---|---|---|---|---|---|---|---|
${uncompared.map(({ setting, all: { ours: each, voting } }) => `| ${setting.candidates}, ${'count' in setting.faulty ? setting.faulty.count : ''} | in a minority | ${each.trials} | ${figure(each.detected, each.faulty)} | ${figure(each.corrected, each.faulty)} | ${figure(each.refused, each.trials)} | ${figure(each.false_accepts, each.trials)} | ${figure(voting.false_accepts, voting.trials)} |`).join('\n')}

### How far norms, examples and constitution save us

On ${representations.texts} texts of the packs that the product's readers have read whole, through the product's own assessment, with the weights that ship: the two readers were compared, and are two witnesses; no model was. Faults are put into norms; plain voting is wrong in every trial.

| who is wrong alike | what else is known | trials | right | refused | falsely accepted |
|---|---|---|---|---|---|
${representations.majority.map(({ readers, with: known, trials, accepted_right: right, refused, accepted_wrong: wrong }) => `| ${readers} | ${known} | ${trials} | ${figure(right, trials)} | ${figure(refused, trials)} | ${figure(wrong, trials)} |`).join('\n')}

The examples are those that a person wrote beside each request of the packs, ${examplesSaid(bothWrong)}. An author who gives none has candidates and constitution.

## Faults in norms, reading, decision table, document and examples

On the same texts, three readers: ${representations.readers.join(', ')}. The product ships two readers that need no network, so the third stands in for a language model; it is right by construction, as
the others are, until one thing is broken. *Reading*: the reader of controlled English is wrong, and norms, table and document, which are made from what it reads, are wrong with it.
*Detected*: a check fires. *Not clean*: so says the decoder, which blames somebody, asks, or finds nothing that explains it. One thing is broken in each trial.

| broken | faults | trials | detected | not clean |
|---|---|---|---|---|
${WHERE.map(({ where, what }) => whereRow(where, what, detected)).join('\n')}

${missesOf(detected)} Each taken as often as it is wrong by itself (${WHERE.map(({ where, what }) => `${what} ${representations.rates[where].rate.toFixed(4)}, ${representations.rates[where].isMeasured ? 'counted, in the worst case' : 'assumed'}`).join('; ')}): ${weighted(representations)} % are detected.

## Confidence

The posterior that what came out is right, over the trials with probability p; what it takes a candidate to be wrong by is p, and that two are wrong alike what the decoder's weights assume. ${reliability.answers} answers; Brier score
${number(reliability.brier)}, expected calibration error ${number(reliability.expected_calibration_error)}. Calibrated on these trials, and a promise about no text.

![Reliability](fault-tolerance/reliability.svg)

| confidence | answers | mean confidence | right |
|---|---|---|---|
${reliability.bins.map(({ from, to, answers, mean_confidence: mean, share_right: right }) => `| ${from.toFixed(1)} to ${to.toFixed(1)} | ${answers} | ${number(mean)} | ${number(right)} |`).join('\n')}

## Natural faults

What the product's own readers really got wrong. Today's have ${natural.today.readings.wrong === 0 ? 'no sentence' : `${natural.today.readings.wrong} sentences`} of the ${natural.today.sentences} in \`test/cases/read\` wrong: ${natural.today.readings.right} readings right, ${natural.today.readings.unread} unread, by two readers. That is no measure of
texts nobody has seen: the readers were mended until these were right, and many sentences are there because they were once read wrongly.${natural.counted.length === 0 ? '' : ` Of sentences made from meanings that were there first, in the forms that the
readers are for (\`acgs weights show\`), wrong were: ${natural.counted.map(({ method, read, wrong }) => `${method} ${figure(wrong, read)}`).join(', ')}.`} So earlier versions were made to read the corpora too:

| version | sentences | readings right | wrong | unread | wrong of those read |
|---|---|---|---|---|---|
${natural.versions.map(({ commit, sentences, readings: { right, wrong, unread } }) => `| ${commit} | ${sentences} | ${right} | ${wrong} | ${unread} | ${figure(wrong, right + wrong)} |`).join('\n')}

The ${natural.faults} different wrong readings are kept in \`bench/fault-tolerance/natural.json\`. Of them, the other reader of the same version wrote other rules in ${figure(natural.other.otherwise, natural.faults)}, which is a question to the author; had
not read the sentence in ${figure(natural.other.unread, natural.faults)}, which leaves one witness; and wrote **the same wrong rules** in ${figure(natural.other.alike, natural.faults)}. ${natural.other.alike > natural.faults / 2 ? `The two readers share the words of the schema and how they are tied to it, and that is where they go wrong
together: of these sentences two readers are hardly more than one. An example, or a reader of another kind, is worth more than either.` : ''} The decoder's weights count this: how the two err together, and not how often ([decoding](concepts/decoding.md#weights)).

## Ambiguous requests

${ambiguous.first.length} requests that leave a meaning open (\`bench/fault-tolerance/ambiguous.json\`), written before any reader had read them, and ${ambiguous.fresh.length} more (\`ambiguous-fresh.json\`), written when the first had been measured and the forms that readers take one way were known, but before
any reader had read these: they tell a gain from a fit to single sentences, not to kinds of them. Both are put to the product's own readers. In ${ambiguous.first.length - open.length} of the first the schema can say only one of the meanings. Of the others:

| | asked, with a request that tells | named as open, to be said otherwise | not understood | **a policy without a word** |
|---|---|---|---|---|
${([['the first', open], ['the fresh', fresh]] as const).map(([name, some]) => `| ${name} | ${figure(some.filter(({ said }) => said === 'asked').length, some.length)} | ${figure(some.filter(isNamedOnly).length, some.length)} | ${figure(some.filter((one) => one.said !== 'silent' && one.said !== 'asked' && !one.isNamed).length, some.length)} | ${figure(some.filter(({ said }) => said === 'silent').length, some.length)} |`).join('\n')}

| what is open | first | silent | fresh | silent |
|---|---|---|---|---|
${[...new Set([...open, ...fresh].map(({ ambiguity }) => ambiguity))].map((kind) => `| ${kind} | ${[open, fresh].map((some) => some.filter(({ ambiguity }) => ambiguity === kind)).map((some) => `${some.length} | ${some.filter(({ said }) => said === 'silent').length}`).join(' | ')} |`).join('\n')}

The silent ones: ${[...silent, ...fresh.filter(({ said }) => said === 'silent')].map(({ text }) => `“${text}”`).join(' ')} Whoever has read one takes the meaning of it that [reading](concepts/reading.md) says, and the author may have had the other.

**Needless questions**: of ${ambiguous.plain.length} requests that leave nothing open, in the same file, of like forms or as authors write them every day, ${figure(needless.length, ambiguous.plain.length)} came to a question or were named open${needless.length === 0 ? '' : `: ${needless.map(({ text }) => `“${text}”`).join(' ')}`};
${figure(ambiguous.plain.filter(({ said, isNamed }) => said !== 'silent' && !isNamed).length, ambiguous.plain.length)} were not understood.

## What no such system can detect

- What the author meant and did not write. Every reader can agree on a meaning that the author did not have; only the author can say so, by an example or by reading the document.
- A fault in what all candidates share: the schema, its annotations, the words that readers tie to it, the request itself.
- The same fault in most readers, which were compared and found to err independently, where no example touches it and the constitution permits it: ${wrongOf(knownAs('independent'), 'ours')} of ${sum(knownAs('independent'), ({ all: { ours } }) => ours.trials)} above.
- A wrong example that agrees with a wrong reading.
- A constitution that permits what it should not, and facts that are wrong when a decision is made.
- A fault in the prover, in Cedar or in the encoding between them that hides itself: two engines and a replay of every counterexample make it unlikely, and no experiment that they judge can show it.

## The rules of the experiment

Nothing but the candidates is made from the original, and nobody who decides sees it: it judges afterwards. The first four sections use candidates and constitution alone; no norm, example or document is made
from the answer. In the sections with texts, the norms are those that the product read, and the examples those that a person wrote. Whether a mutant changes the meaning, whether candidates agree, whether what came out is a
majority and whether it is right is *proved* each time; a comparison without an answer refuses, and is never counted as right. Not told in any trial: ${sum(all, ({ all: { ours: { unknown } } }) => unknown)}.
`
}

function refusedSaid(first: Measured | undefined): string {
  const refused = (first?.policies ?? []).filter(({ isLetThrough }) => !isLetThrough).map(({ name }) => name)
  return refused.length === 0 ? '' : ` The constitution does not let ${refused.join(', ')} through as written, so that nothing could come out right: there candidates alone decide.`
}

/** The charts beside the page, by file name. */
export function chartsOf(measured: FaultTolerance): { readonly [file: string]: string } {
  const all = settingsOf(measured)
  const wrong = ({ false_accepts: hits, trials }: Tally) => pointOf(hits, trials)
  const minority = minorityOf(all)
  const rates = all.filter(({ setting }) => 'rate' in setting.faulty)
  const correlated = all.filter(({ setting }) => setting.isCorrelated)
  const name = ({ setting: { candidates, faulty } }: Measured) => `${candidates}, ${'count' in faulty ? faulty.count : faulty.rate}`
  return {
    'minority.svg': barChart('Falsely accepted, of n candidates k broken (n, k)', minority.map(name), [
      { name: 'ours', points: minority.map(({ all: { ours } }) => wrong(ours)) }, { name: 'plain voting', points: minority.map(({ all: { voting } }) => wrong(voting)) },
      { name: 'voting by text', points: minority.map(({ all: { text_voting: text } }) => wrong(text)) }, { name: 'one candidate', points: minority.map(({ all: { single } }) => wrong(single)) },
    ]),
    'rates.svg': barChart('Falsely accepted, each of n candidates broken with probability p (n, p)', rates.map(name), [
      { name: 'ours', points: rates.map(({ all: { ours } }) => wrong(ours)) }, { name: 'plain voting', points: rates.map(({ all: { voting } }) => wrong(voting)) }, { name: 'one candidate', points: rates.map(({ all: { single } }) => wrong(single)) },
    ]),
    'correlated.svg': barChart('Falsely accepted, the same fault in most candidates (n, k)', correlated.map((each) => `${name(each)}\n${KNOWN_AS[each.setting.known]}`), [
      { name: 'ours', points: correlated.map(({ all: { ours } }) => wrong(ours)) }, { name: 'plain voting', points: correlated.map(({ all: { voting } }) => wrong(voting)) },
    ]),
    'reliability.svg': reliabilityChart('Answers that were right, over their confidence', reliabilityIn(measured).bins),
  }
}

/** How far the posterior keeps its word over the trials in which faults fall with a probability that is known. */
export function reliabilityIn(measured: FaultTolerance): Reliability {
  return reliabilityOf(settingsOf(measured).flatMap(({ setting: { faulty }, graded }) => graded.flatMap(({ classes, kept, outcome }) => {
    if (!('rate' in faulty) || classes === null || kept === null || (outcome !== 'right' && outcome !== 'wrong')) return []
    return [{ confidence: classPosterior(classes, kept, { misread: faulty.rate, alike: ALIKE }), isRight: outcome === 'right' }]
  })))
}

/** As the weights assume where nothing was counted. */
const ALIKE = 0.1

const WHERE: readonly { readonly where: Where; readonly what: string }[] = [
  { where: 'norms', what: 'norms' }, { where: 'reading', what: 'reading, and what is made from it' }, { where: 'decision-table', what: 'decision table' }, { where: 'document', what: 'document' }, { where: 'examples', what: 'examples' },
]

function settingsOf({ trials }: FaultTolerance): readonly Measured[] {
  return Object.values(trials).map(({ result }) => result).sort((a, b) => order(a) - order(b))
}

function order({ setting: { candidates, faulty, known } }: Measured): number {
  return 100 * candidates + ('count' in faulty ? 4 * faulty.count : 100 * faulty.rate) + KNOWN.indexOf(known)
}

const KNOWN_AS: { readonly [known in Known]: string } = { 'one-source': 'one source', uncompared: 'not compared', independent: 'independent' }

function minorityOf(all: readonly Measured[]): readonly Measured[] {
  return all.filter(({ setting }) => !setting.isCorrelated && setting.known === 'independent' && 'count' in setting.faulty)
}

function readersOf({ representations, natural, ambiguous }: FaultTolerance) {
  if (representations === undefined || natural === undefined || ambiguous === undefined) throw new Error('the page needs every part')
  return { representations: representations.result, natural: natural.result, ambiguous: ambiguous.result }
}

function rowOf({ setting, all: { ours, voting, text_voting: text, single } }: Measured): string {
  return `| ${setting.candidates}, ${'count' in setting.faulty ? setting.faulty.count : ''} | ${figures({ ours, voting, text_voting: text, single })} |`
}

function figures({ ours, voting, text_voting: text, single }: Measured['all']): string {
  return [ours.trials, figure(ours.detected, ours.faulty), figure(ours.located, ours.faulty), figure(ours.corrected, ours.faulty), figure(ours.refused, ours.trials), figure(ours.false_accepts, ours.trials), figure(voting.false_accepts, voting.trials), figure(text.false_accepts, text.trials), figure(single.false_accepts, single.trials)].join(' | ')
}

function classCell(ours: Tally | undefined): string {
  return ours === undefined || ours.trials === 0 ? '–' : `${ours.corrected} of ${ours.trials}, ${ours.refused}, ${ours.false_accepts}`
}

function classRow(id: string, what: string, minority: readonly Measured[]): string {
  const added = (which: keyof Measured['all']): Tally => minority.map(({ by_class: classes }) => classes[id]?.[which]).filter((each) => each !== undefined).reduce((a, b) => Object.fromEntries(Object.entries(a).map(([key, value]) => [key, value + b[key as keyof Tally]])) as unknown as Tally, NOTHING)
  return `| ${id} | ${what} | ${figures({ ours: added('ours'), voting: added('voting'), text_voting: added('text_voting'), single: added('single') })} |`
}

const NOTHING: Tally = { trials: 0, faulty: 0, detected: 0, located: 0, corrected: 0, refused: 0, false_accepts: 0, unknown: 0 }

function whereRow(where: Where, what: string, detected: readonly { readonly where: Where; readonly fault: string; readonly trials: number; readonly fired: number; readonly notClean: number }[]): string {
  const own = detected.filter((each) => each.where === where)
  const total = (of: (each: (typeof own)[number]) => number) => own.reduce((sum, each) => sum + of(each), 0)
  return `| ${what} | ${own.map(({ fault }) => fault).join(', ')} | ${total(({ trials }) => trials)} | ${figure(total(({ fired }) => fired), total(({ trials }) => trials))} | ${figure(total(({ notClean }) => notClean), total(({ trials }) => trials))} |`
}

function weighted({ detected, rates }: ReturnType<typeof readersOf>['representations']): string {
  const shares = WHERE.map(({ where }) => {
    const own = detected.filter((each) => each.where === where)
    const trials = own.reduce((sum, each) => sum + each.trials, 0)
    return { rate: rates[where].rate, share: trials === 0 ? 0 : own.reduce((sum, { fired }) => sum + fired, 0) / trials }
  })
  return (100 * shares.reduce((sum, { rate, share }) => sum + rate * share, 0) / shares.reduce((sum, { rate }) => sum + rate, 0)).toFixed(2)
}

function missesOf(detected: readonly { readonly where: Where; readonly fault: string; readonly trials: number; readonly fired: number }[]): string {
  const missed = detected.filter(({ fired, trials }) => fired < trials)
  return missed.length === 0 ? 'No fault of these was missed.' : `Missed: ${missed.map(({ where, fault, fired, trials }) => `${where}, ${fault}: ${trials - fired} of ${trials}`).join('; ')}.`
}

function majorityScene(scenes: readonly { readonly readers: string; readonly with: string; readonly voted_wrong: number; readonly accepted_wrong: number; readonly trials: number }[], readers: string) {
  return scenes.find((scene) => scene.readers === readers && scene.with.includes('examples')) ?? { voted_wrong: 0, accepted_wrong: 0, trials: 0 }
}

function examplesSaid({ accepted_wrong: wrong, trials }: { readonly accepted_wrong: number; readonly trials: number }): string {
  return wrong === 0 ? `and they touch nearly every norm: of both readers wrong alike, ${trials - wrong} of ${trials} were stopped` : `and they do not touch everything: of both readers wrong alike, ${wrong} of ${trials} passed`
}

function pointOf(hits: number, of: number): Point | null {
  return of === 0 ? null : { share: hits / of, ...clopperPearson(hits, of) }
}

/** A share with its counts and its interval. */
function figure(hits: number, of: number): string {
  if (of === 0) return '–'
  const { low, high } = clopperPearson(hits, of)
  const percent = (share: number) => (100 * share).toFixed(1)
  return `${percent(hits / of)} % of ${of} (${percent(low)}–${percent(high)})`
}

function ratio(ours: number, theirs: number): string {
  return theirs === 0 ? `${ours} falsely accepted, and none by voting` : `${ours} falsely accepted, ${theirs} by voting: ${(ours / theirs).toFixed(2)} times`
}

function number(value: number | null): string {
  return value === null ? '–' : value.toFixed(4)
}

function spread(values: readonly string[]): string {
  const sorted = [...new Set(values)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  return sorted.length < 2 ? (sorted[0] ?? '') : `${sorted[0]} to ${sorted.at(-1)}`
}

/** For what the figures were measured, so that who has something else can see it. */
function basisSaid(parts: readonly Part<unknown>[]): string {
  const bases = parts.map(({ basis }) => basis).filter((basis) => basis !== undefined)
  const names = [...new Set(bases.flatMap((basis) => Object.keys(basis)))]
  const shown = (of: string) => [...new Set(bases.map((basis) => basis[of] ?? 'not written down'))].map((value) => (/^[0-9a-f]{64}$/.test(value) ? `\`${value.slice(0, 12)}\`` : value)).join(' or ')
  const missing = parts.length - bases.length
  return `${names.length === 0 ? '' : `Of: ${names.map((of) => `${of} ${shown(of)}`).join(', ')} (digests of what is in \`bench/fault-tolerance/basis.ts\`). `}${missing === 0 ? '' : `On what else ${missing === parts.length ? 'it was' : `${missing} of ${parts.length} parts were`} measured was not written down. `}A test fails once weights, table or constitution are others, and names what else has changed since.`
}
