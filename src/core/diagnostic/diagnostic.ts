/** What a finding is about. */
export const CATEGORIES = ['reading', 'meaning', 'evaluation', 'constitution', 'proof', 'claim', 'component', 'breaker', 'rate', 'latency', 'queue'] as const
/** `critical`: it keeps something from being certified or served. `error`: it was handled, or costs something else. */
export const SEVERITIES = ['critical', 'error'] as const
/** What kind of act would settle a finding. */
export const STRATEGIES = ['reword', 'answer', 'annotate', 'restate', 'retry', 'restore', 'wait', 'scale'] as const

export type Category = (typeof CATEGORIES)[number]
export type Severity = (typeof SEVERITIES)[number]
export type Strategy = (typeof STRATEGIES)[number]

/** What would settle a finding. Nothing that we could do about one by ourselves is bounded and has a dry run, so no act is executed by itself. */
export type Remedy = { readonly strategy: Strategy; readonly action: string; readonly autoExecutable: false }

/** Something that is not as it must be. */
export type Finding = {
  /** In what: a stabilizer, an article, a candidate's method, a component, a member of a document. */
  readonly about: string
  readonly category: Category
  readonly severity: Severity
  readonly message: string
  readonly remedy: Remedy
}

/** How something stands by what was found: with a critical finding unhealthy, with any other degraded. */
export type Standing = 'healthy' | 'degraded' | 'unhealthy'

export function finding(about: string, category: Category, severity: Severity, message: string, strategy: Strategy, action: string): Finding {
  return { about, category, severity, message, remedy: { strategy, action, autoExecutable: false } }
}

export function standingOf(findings: readonly Finding[]): Standing {
  if (findings.some(({ severity }) => severity === 'critical')) return 'unhealthy'
  return findings.length > 0 ? 'degraded' : 'healthy'
}

/** Each act that findings ask for, once, in their order. */
export function recommendationsIn(findings: readonly Finding[]): readonly string[] {
  return [...new Set(findings.map(({ remedy }) => remedy.action))]
}

/** How many of the acts that are recommended could be executed without a person. */
export function autoExecutableIn(findings: readonly Finding[]): number {
  return new Set(findings.filter(({ remedy }) => remedy.autoExecutable).map(({ remedy }) => remedy.action)).size
}

/** The id of the diagnostic that a generation is stored with. Null for what is not a generation's id. */
export function diagnosticIdOf(generationId: string): string | null {
  return /^gen_./.test(generationId) ? `diag_${generationId.slice('gen_'.length)}` : null
}

/** The generation that a diagnostic may be of, by its id. Null for what is not a diagnostic's id. */
export function generationIdOf(diagnosticId: string): string | null {
  return /^diag_./.test(diagnosticId) ? `gen_${diagnosticId.slice('diag_'.length)}` : null
}
