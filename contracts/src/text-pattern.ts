import { RE2JS, RE2JSException } from 're2js';

/** A pattern that can't be used; the message says why, for whoever wrote it. */
export class TextPatternError extends Error {
  readonly code = 'BAD_PATTERN';
  constructor(message: string) {
    super(message);
    this.name = 'TextPatternError';
  }
}

export const TEXT_PATTERN_LIMITS = {
  lengthMax: 256,
  /** Of the program that it becomes; repetitions are written out. */
  statesMax: 512,
  /** Longer texts don't match. */
  textLengthMax: 4_096,
} as const;

/**
 * Compiles a regular expression in RE2's syntax into a test whether it matches a whole text. The test
 * takes time in proportion to the text's length, whatever the pattern, because patterns come from users
 * and are matched while offers wait.
 * @throws TextPatternError for what RE2 does not know (look-around, back-references), and for what is
 *   too large.
 */
export function compileTextPattern(pattern: string): (text: string) => boolean {
  const { lengthMax, statesMax, textLengthMax } = TEXT_PATTERN_LIMITS;
  if (pattern.length > lengthMax) throw new TextPatternError(`longer than ${lengthMax} characters`);
  const program = compile(pattern);
  if (program.programSize() > statesMax) throw new TextPatternError('too much to repeat');
  return (text) => text.length <= textLengthMax && program.testExact(text);
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) throw new TextPatternError(error.message);
    throw error;
  }
}
