/**
 * A text that PostgreSQL can hold: without NUL, and with the replacement character where half of a
 * surrogate pair was. A serial console may print anything.
 */
export function printable<T extends string | null>(text: T): T | string {
  if (text === null) return text;
  return text.replaceAll('\0', '').toWellFormed();
}
