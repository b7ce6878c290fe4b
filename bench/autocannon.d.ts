/** As much of the load generator as is used here. */
declare module 'autocannon' {
  type Client = { setRequests: (requests: readonly { readonly body: string }[]) => void }
  type Options = {
    readonly url: string
    readonly method: 'POST'
    readonly headers: Readonly<Record<string, string>>
    readonly connections: number
    readonly duration: number
    readonly setupClient: (client: Client) => void
  }
  export default function autocannon(options: Options): Promise<{ readonly requests: { readonly total: number }; readonly duration: number; readonly non2xx: number; readonly errors: number }>
}
