/**
 * The 16-digit id that operators know. It is the start of the SHA-256 of the ratified ACGS-1 source text, which is not shipped;
 * what is enforced is named by its full digest.
 */
export const INHERITED_ID = 'cdd01ef066bc6cf2'

/** Size of that source text in bytes. */
export const INHERITED_BYTES = 1_890

/**
 * The Ed25519 public key (base64 of its 32 bytes) whose record alone may claim the inherited id. `constitutions/ratify.ts` made
 * it for one signature, writes it here, and did not keep the private half.
 */
export const INHERITED_RATIFIER = 'n/Ljfre6hKFzvAXMxOlTMalIzonjypeiiXKTYHtHU90='
