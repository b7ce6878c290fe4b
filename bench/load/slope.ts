/**
 * The median of the slopes between all pairs of points (Theil and Sen): how steep they rise, whatever a few of them do. Zero for fewer than two.
 *
 * Cost: O(n²).
 */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], i) => points.slice(i + 1).filter(([other]) => other !== x).map(([other, value]) => (value - y) / (other - x))).toSorted((a, b) => a - b)
  if (slopes.length === 0) return 0
  const middle = Math.floor(slopes.length / 2)
  return slopes.length % 2 === 1 ? (slopes[middle] as number) : ((slopes[middle - 1] as number) + (slopes[middle] as number)) / 2
}
