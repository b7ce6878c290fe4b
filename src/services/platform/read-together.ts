/**
 * The same question, put once for all who ask while it is being answered: so many askers cost no more than a few. What somebody is told was read
 * after they asked.
 */
export function readTogether<T>(read: () => Promise<T>): () => Promise<T> {
  let underWay: Promise<T> | null = null
  let next: Promise<T> | null = null
  const begin = (): Promise<T> => {
    const reading = read().finally(() => { underWay = null })
    underWay = reading
    return reading
  }
  return () => {
    if (underWay === null) return begin()
    // What is under way was read, perhaps, before this asker came.
    return (next ??= underWay.catch(() => {}).then(() => {
      next = null
      return begin()
    }))
  }
}
