/** As much of the load generator as is used here. */
declare module 'autocannon' {
  type Client = { readonly setRequests: (requests: readonly { readonly body: string }[]) => void }
  type Result = {
    readonly requests: { readonly total: number }
    readonly latency: { readonly p50: number; readonly p97_5: number; readonly p99: number }
    readonly duration: number
    readonly non2xx: number
    readonly errors: number
    readonly timeouts: number
    readonly statusCodeStats: Readonly<Record<string, unknown>>
  }
  export default function autocannon(options: {
    readonly url: string
    readonly method: 'GET' | 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly connections: number
    readonly duration: number
    readonly setupClient?: (client: Client) => void
  }): Promise<Result>
}
