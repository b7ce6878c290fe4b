import type { BinaryKind, Expression } from './expression.ts'
import { quote, uidText as uid, type ActionScope, type PolicySet, type Rule, type Scope } from './policy.ts'

const OPERATOR: { readonly [kind in BinaryKind]?: { readonly text: string; readonly level: number } } = {
  or: { text: '||', level: 1 },
  and: { text: '&&', level: 2 },
  eq: { text: '==', level: 3 },
  neq: { text: '!=', level: 3 },
  less: { text: '<', level: 3 },
  lessEq: { text: '<=', level: 3 },
  greater: { text: '>', level: 3 },
  greaterEq: { text: '>=', level: 3 },
  in: { text: 'in', level: 3 },
  add: { text: '+', level: 4 },
  sub: { text: '-', level: 4 },
  mul: { text: '*', level: 5 },
}

/** Renders an expression as Cedar text: parsing it again gives an expression of the same meaning, with as few parentheses as that allows. */
export function renderExpression(expression: Expression): string {
  return text(expression, 0)
}

/** A policy as its rules are written. What Cedar reads from the text is for its parser to say. */
export function written(rules: readonly Rule[]): PolicySet {
  return { text: renderRules(rules), rules }
}

/** Renders a rule, annotations first, one clause a line. */
export function renderRule(rule: Rule): string {
  const annotations = Object.entries({ id: rule.id, ...rule.annotations }).map(([name, value]) => `@${name}(${quote(value)})\n`)
  const scopes = [scope('principal', rule.principal), actionScope(rule.action), scope('resource', rule.resource)]
  const clauses = [
    ...rule.when.map((body) => `\nwhen { ${text(body, 0)} }`),
    ...rule.unless.map((body) => `\nunless { ${text(body, 0)} }`),
  ]
  return `${annotations.join('')}${rule.effect} (${scopes.join(', ')})${clauses.join('')};`
}

/** Renders a policy set, one empty line between rules; the empty set is an empty text, which denies everything. */
export function renderRules(rules: PolicySet['rules']): string {
  return rules.map((rule) => `${renderRule(rule)}\n`).join('\n')
}

function scope(variable: 'principal' | 'resource', constraint: Scope): string {
  switch (constraint.kind) {
    case 'any': return variable
    case 'eq': return `${variable} == ${uid(constraint.uid)}`
    case 'in': return `${variable} in ${uid(constraint.uid)}`
    case 'is': return `${variable} is ${constraint.type}${constraint.in === null ? '' : ` in ${uid(constraint.in)}`}`
  }
}

function actionScope(constraint: ActionScope): string {
  switch (constraint.kind) {
    case 'any': return 'action'
    case 'eq': return `action == ${uid(constraint.uid)}`
    case 'in': return `action in [${constraint.uids.map(uid).join(', ')}]`
  }
}

/** @param level How tightly the place binds: the text is put in parentheses when the expression binds less. */
function text(expression: Expression, level: number): string {
  const wrap = (own: number, inner: string) => (own < level ? `(${inner})` : inner)
  switch (expression.kind) {
    case 'bool': return String(expression.value)
    case 'long': return expression.value.startsWith('-') ? wrap(6, expression.value) : expression.value
    case 'string': return quote(expression.value)
    case 'entity': return uid(expression.uid)
    case 'var': return expression.name
    case 'get': return isIdentifier(expression.attribute) ? `${text(expression.of, 7)}.${expression.attribute}` : `${text(expression.of, 7)}[${quote(expression.attribute)}]`
    case 'has': return wrap(3, `${text(expression.of, 4)} has ${isIdentifier(expression.attribute) ? expression.attribute : quote(expression.attribute)}`)
    case 'not': return wrap(6, `!${text(expression.of, 7)}`)
    case 'neg': return wrap(6, `-${text(expression.of, 7)}`)
    case 'isEmpty': return `${text(expression.of, 7)}.isEmpty()`
    case 'is': return wrap(3, `${text(expression.of, 4)} is ${expression.type}${expression.in === null ? '' : ` in ${text(expression.in, 4)}`}`)
    case 'if': return wrap(0.5, `if ${text(expression.condition, 0)} then ${text(expression.then, 0)} else ${text(expression.else, 0)}`)
    case 'set': return `[${expression.items.map((item) => text(item, 0)).join(', ')}]`
    case 'record': return `{${Object.entries(expression.fields).map(([name, field]) => `${quote(name)}: ${text(field, 0)}`).join(', ')}}`
    case 'like': return wrap(3, `${text(expression.of, 4)} like ${pattern(expression.pattern)}`)
    case 'call': return isConstructor(expression.name) ? `${expression.name}(${expression.args.map((arg) => text(arg, 0)).join(', ')})` : method(expression.name, expression.args)
    case 'contains':
    case 'containsAll':
    case 'containsAny':
    case 'getTag':
    case 'hasTag': return `${text(expression.left, 7)}.${expression.kind}(${text(expression.right, 0)})`
    default: {
      const operator = OPERATOR[expression.kind] as { text: string; level: number }
      // Comparisons do not chain; `a - b - c` groups to the left, and so do the others.
      const left = text(expression.left, operator.level === 3 ? 4 : operator.level)
      return wrap(operator.level, `${left} ${operator.text} ${text(expression.right, operator.level + 1)}`)
    }
  }
}

function method(name: string, args: readonly Expression[]): string {
  const [self, ...rest] = args
  return `${self === undefined ? '' : text(self, 7)}.${name}(${rest.map((arg) => text(arg, 0)).join(', ')})`
}

function isConstructor(name: string): boolean {
  return ['ip', 'decimal', 'datetime', 'duration'].includes(name)
}

function pattern(parts: readonly (string | null)[]): string {
  return `"${parts.map((part) => (part === null ? '*' : quote(part).slice(1, -1).replaceAll('*', '\\*'))).join('')}"`
}

const RESERVED = new Set(['true', 'false', 'if', 'then', 'else', 'in', 'is', 'like', 'has', '__cedar'])

function isIdentifier(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !RESERVED.has(name)
}

