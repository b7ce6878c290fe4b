/** Why whom one called over TLS is not believed, for a message; null when that is not why a call failed. */
export function whyUntrusted(cause: unknown): string | null {
  const { code } = ((cause as { cause?: unknown })?.cause ?? {}) as { code?: unknown }
  if (typeof code !== 'string') return null
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'has a certificate for another name: call it by the name that its certificate has'
  if (/^(CERT_HAS_EXPIRED|CERT_NOT_YET_VALID)$/.test(code)) return `has a certificate that does not count at this time (${code}): have it renewed, and look at the clocks`
  if (/^(CERT_|UNABLE_TO_|(DEPTH_ZERO_)?SELF_SIGNED_CERT)/.test(code)) return `has a certificate that is not trusted here (${code}): name the file of its authority in NODE_EXTRA_CA_CERTS`
  return /^(EPROTO|ERR_SSL_)/.test(code) ? `does not speak TLS as expected (${code}): is it https or http?` : null
}
