import { RE2JS, RE2JSException } from 're2js';

/** A pattern is not one that is supported, in words for whoever wrote it. */
export class PatternError extends Error {
  readonly code = 'MESOS_ERR_PATTERN';
  constructor(message: string) {
    super(message);
    this.name = 'PatternError';
  }
}

/** Size of the program that a pattern may need: repetitions are written out, so they count. */
const STATES_MAX = 500;
const LENGTH_MAX = 4_096;

export interface TextPattern {
  /** How large its program is: a text takes time in proportion to that. */
  readonly states: number;
  /** Whether the whole text fits. */
  readonly matches: (text: string) => boolean;
}

/**
 * Compiles a regular expression of offer constraints, in RE2's syntax as in Mesos: matching takes time
 * in proportion to the text and the pattern, whatever they are, as patterns come from frameworks and
 * are matched in the master.
 * @throws PatternError for what RE2 refuses (backreferences, lookaround), and what is too large.
 */
export function compilePattern(pattern: string): TextPattern {
  if (pattern.length > LENGTH_MAX) throw new PatternError('pattern too large');
  const program = compile(pattern);
  const states = program.programSize();
  if (states > STATES_MAX) throw new PatternError('pattern too large - compile failed');
  return { states, matches: (text) => program.testExact(text) };
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) throw new PatternError(error.message);
    throw error;
  }
}
