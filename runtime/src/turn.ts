/**
 * Calls `work` when everything that this turn of the event loop has brought is done: what many
 * requests of one turn cause is then sent together, in one system call instead of hundreds. No
 * clock is needed: virtual time only passes when such calls have come to rest too.
 */
export function atTurnEnd(work: () => void): void {
  setImmediate(work);
}
