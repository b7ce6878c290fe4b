/** A share with the ends of its interval, all from 0 to 1. */
export type Point = { readonly share: number; readonly low: number; readonly high: number }

export type Series = { readonly name: string; readonly points: readonly (Point | null)[] }

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [860, 320, 52, 56, 46]
const COLORS = ['#2f6fdb', '#d1702a', '#7a52c7', '#5f6b7a']

/** Bars of shares in groups, each with its interval, as SVG that reads on light and on dark paper. What stands behind `: ` in the name of a group is a second line. */
export function barChart(title: string, groups: readonly string[], series: readonly Series[]): string {
  const plot = { width: WIDTH - LEFT - 12, height: HEIGHT - TOP - BOTTOM }
  const slot = plot.width / groups.length
  const bar = Math.min(26, (slot * 0.8) / series.length)
  const y = (share: number) => round(TOP + plot.height * (1 - share))
  const bars = groups.flatMap((_, g) => series.flatMap(({ points }, s) => {
    const point = points[g]
    if (point === null || point === undefined) return []
    const x = LEFT + slot * g + (slot - bar * series.length) / 2 + bar * s
    const middle = round(x + bar / 2)
    return [
      `<rect x="${round(x + 1)}" y="${y(point.share)}" width="${round(bar - 2)}" height="${round(TOP + plot.height - y(point.share))}" fill="${COLORS[s]}"/>`,
      `<path class="line" d="M${middle} ${y(point.low)}V${y(point.high)}M${round(middle - 3)} ${y(point.low)}h6M${round(middle - 3)} ${y(point.high)}h6"/>`,
    ]
  }))
  // One line for each part of a name, so that long ones do not run into each other.
  const names = groups.flatMap((name, g) => name.split(': ').map((line, i) => `<text x="${round(LEFT + slot * (g + 0.5))}" y="${HEIGHT - BOTTOM + 18 + 15 * i}" text-anchor="middle">${escaped(line)}</text>`))
  return framed(title, [...percentLines(y), ...bars, ...names, ...legend(series.map(({ name }) => name))])
}

/** How many answers of about one confidence were right: on the diagonal, confidence keeps its word. */
export function reliabilityChart(title: string, bins: readonly { readonly mean_confidence: number | null; readonly share_right: number | null; readonly answers: number }[]): string {
  const plot = { width: WIDTH - LEFT - 12, height: HEIGHT - TOP - BOTTOM }
  const [x, y] = [(share: number) => round(LEFT + plot.width * share), (share: number) => round(TOP + plot.height * (1 - share))]
  const points = bins.flatMap(({ mean_confidence: mean, share_right: right, answers }) => (mean === null || right === null ? [] : [
    `<circle cx="${x(mean)}" cy="${y(right)}" r="5" fill="${COLORS[0]}"/>`, `<text x="${x(mean) - 8}" y="${y(right) + 16}" text-anchor="end">${answers}</text>`,
  ]))
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => `<text x="${x(share)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${share}</text>`)
  return framed(title, [...percentLines(y), `<path class="line" stroke-dasharray="4 4" d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}"/>`, ...points, ...ticks, ...legend(['right answers, over the confidence they had (with the number of answers)'])])
}

function framed(title: string, inside: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>text{font:12px system-ui,sans-serif;fill:#222}.line{stroke:#222;fill:none}.grid{stroke:#ccc}@media(prefers-color-scheme:dark){text{fill:#ddd}.line{stroke:#ddd}.grid{stroke:#444}}</style>
<text x="${LEFT}" y="20" font-weight="bold">${escaped(title)}</text>
${inside.join('\n')}
</svg>
`
}

function percentLines(y: (share: number) => number): readonly string[] {
  return [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [`<path class="grid" d="M${LEFT} ${y(share)}H${WIDTH - 12}"/>`, `<text x="${LEFT - 6}" y="${y(share) + 4}" text-anchor="end">${share * 100} %</text>`])
}

function legend(names: readonly string[]): readonly string[] {
  let x = LEFT
  return names.flatMap((name, i) => {
    const at = x
    x += 30 + name.length * 7
    return [`<rect x="${at}" y="32" width="10" height="10" fill="${COLORS[i]}"/>`, `<text x="${at + 15}" y="41">${escaped(name)}</text>`]
  })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
