/** Loaded before a process (`--import`), to have its clock show another time: ACGS_TEST_CLOCK_SHIFT_MS later. */
const shiftMs = Number(process.env['ACGS_TEST_CLOCK_SHIFT_MS'] ?? 0)
const Real = Date

globalThis.Date = class extends Real {
  constructor(...given: readonly unknown[]) {
    if (given.length === 0) super(Real.now() + shiftMs)
    else super(...(given as [number]))
  }

  static override now(): number {
    return Real.now() + shiftMs
  }
} as DateConstructor

/** What starts a process with another clock. */
export function clockShifted(ms: number): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${import.meta.url}`, ACGS_TEST_CLOCK_SHIFT_MS: String(ms) }
}
