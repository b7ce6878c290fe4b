/**
 * Whether others than the holder of a secret may read its file. A file that root handed to a group (0440, as orchestrators mount secrets for a
 * user who is not root) is not open: nobody but root could have arranged that.
 */
export function isOpen({ mode, uid }: { readonly mode: number; readonly uid: number }, self: number): boolean {
  return (mode & (uid === 0 && self !== 0 ? 0o037 : 0o077)) !== 0
}
