import { BUSY, carry, secondPlatform, type Costs, type Hardware } from './model.ts'

/** docs/operations/capacity.md: every figure in it is measured or computed, none is typed in. */
export function renderCapacity(costs: Costs, asked: Hardware): string {
  const { at, version, machine, busy, generations, generation: { apart, database, appendMs, tipHeldMs, clientMs }, decision, platforms } = costs
  const carried = carry(costs, asked)
  const [first] = carried.bounds
  const ratio = secondPlatform(costs)
  const half = carry(costs, { ...asked, replicas: asked.replicas / 2 })
  const wide = carry(costs, { ...asked, replicas: asked.replicas * 2 })
  return `<!-- Made by \`npm run bench -- load --part costs --write\` from bench/load/measured.json; a test compares them. -->
# Capacity

What one request costs, measured; and what other hardware would carry, computed from that by \`bench/load/model.ts\`. A model, not a promise: measure on
your own machines with the same command, which prints all of this for them.

Measured on ${at} with ${version}: ${machine.cpu}, ${machine.cores} processors, everything on one machine (four processes, PostgreSQL, Redis, the client),
${generations} generations, each another one. ${busy > 1 ? `The machine was busy with other work (${busy} processes wanted a processor when it began), so that these are smoke figures, too high; measure again before you buy anything.` : 'The machine had nothing else to do.'}

## One request

| a generation | processor, ms | of which its JavaScript |
|---|---|---|
${Object.entries(apart).map(([name, { mainMs, allMs }]) => `| ${name} | ${figure(allMs)} | ${figure(mainMs)} |`).join('\n')}
| PostgreSQL | ${figure(database.processorMs)} | |
| the client of the bench | ${figure(clientMs)} | |

It sends ${figure(database.statements)} statements to the database (\`begin\` and \`commit\` included), of which ${figure(database.transactions)} are commits, waits ${figure(database.waitedMs)} ms for
their answers, makes PostgreSQL write ${figure(database.walKb)} KB ahead and keep ${figure(database.storedKb)} KB. An entry of the ledger takes ${figure(appendMs)} ms from \`begin\` to \`commit\` while nothing
else is asked. A generation holds the tip of the ledger for ${figure(tipHeldMs)} ms while others are worked on in its process, and no two transactions hold it at once.

A decision takes ${figure(decision.processorMs)} ms of a processor, HTTP included, and ${decision.statements < 0.01 ? 'no statement' : `${figure(decision.statements)} statements`}.

## What a second platform adds

On ${machine.cores} processors that everything shares, one platform did ${figure(platforms.one)} generations a second and two did ${figure(platforms.two)}: ${ratio.measured.toFixed(2)} times as many. By the costs above it is
${ratio.expected.toFixed(2)}: a second platform helps until the processors are used up, by whatever runs there.

## ${asked.replicas} replicas, and a database with ${asked.databaseCores} processors

${asked.replicas} replicas of each process with ${asked.coresPerReplica} processors each, nothing busier than ${BUSY * 100} %. What each part of it would carry, the first to be used up first:

| part | generations a second |
|---|---|
${carried.bounds.map(({ what, perSecond }) => `| ${what} | ${figure(perSecond)} |`).join('\n')}

So it would carry **${figure(carried.generations)} generations a second**, and the first thing to be used up is *${first.what}*. With ${asked.replicas / 2} replicas it would be ${figure(half.generations)} (*${half.bounds[0].what}*),
with ${asked.replicas * 2} ${figure(wide.generations)} (*${wide.bounds[0].what}*). At that rate PostgreSQL writes ${figure(carried.walMbPerSecond)} MB a second ahead and grows by ${figure(carried.storedGbPerDay)} GB a day; the platforms hold
${carried.connections} connections (\`max_connections\` must be above that, or a pooler in session mode stands between).

Decisions do not wait for the database: ${asked.replicas} replicas would answer **${figure(carried.decisions)} a second**.

What the model leaves out: networks between machines (each statement waits for one round trip more, which costs time and no processor), disks that are slower
than this machine's (a commit waits for one), other work of the database, texts longer than the bench's three to five sentences.
`
}

/** Three digits that count, and no more. */
function figure(value: number): string {
  if (value >= 100) return String(Math.round(value))
  return value >= 10 ? value.toFixed(1) : value >= 1 ? value.toFixed(2) : Number(value.toPrecision(2)).toString()
}
