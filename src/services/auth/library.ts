const warn = console.warn

// While it loads, the library warns that a runtime without a code name for its long-term line is unknown to it. Ours is pinned and tried;
// whoever starts the product should not have to wonder. Everything else that is warned of meanwhile gets through.
console.warn = (...words: unknown[]) => {
  if (!/^\S*oidc-provider WARNING: Unsupported runtime/.test(String(words[0]))) warn(...words)
}
const library = await import('oidc-provider').finally(() => { console.warn = warn })

export const { Provider, errors } = library
