declare const brand: unique symbol;

/** A string that is an id of one kind; ids of another kind do not fit in its place. */
type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type FrameworkId = Id<'FrameworkId'>;
export type AgentId = Id<'AgentId'>;
export type TaskId = Id<'TaskId'>;
export type ExecutorId = Id<'ExecutorId'>;
export type OfferId = Id<'OfferId'>;

/** Mesos' limit for ids that become names of directories (NAME_MAX of Linux). */
const ID_BYTES_MAX = 255;

/** Ids become names of directories: no separators, no control characters, not `.` or `..`. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const UNSAFE = /[/\\\u0000-\u001f\u007f]/;

/** A text is not fit to be an id; `message` is worded as Mesos does. */
export class InvalidIdError extends Error {
  readonly code = 'MESOS_ERR_INVALID_ID';
  constructor(message: string) {
    super(message);
    this.name = 'InvalidIdError';
  }
}

/** Why `text` cannot be an id, worded as Mesos does; undefined when it can. */
export function idProblem(text: string): string | undefined {
  if (text === '') return 'ID must not be empty';
  if (Buffer.byteLength(text) > ID_BYTES_MAX) {
    return `ID must not be greater than ${ID_BYTES_MAX} characters`;
  }
  if (text === '.') return `'.' is disallowed`;
  if (text === '..') return `'..' is disallowed`;
  if (UNSAFE.test(text)) return `'${text}' contains invalid characters`;
  return undefined;
}

function id<Kind extends string>(text: string): Id<Kind> {
  const problem = idProblem(text);
  if (problem !== undefined) throw new InvalidIdError(problem);
  return text as Id<Kind>;
}

/** @throws InvalidIdError when `text` is not fit to be an id. */
export function frameworkId(text: string): FrameworkId {
  return id(text);
}

/** @throws InvalidIdError when `text` is not fit to be an id. */
export function agentId(text: string): AgentId {
  return id(text);
}

/** @throws InvalidIdError when `text` is not fit to be an id. */
export function taskId(text: string): TaskId {
  return id(text);
}

/** @throws InvalidIdError when `text` is not fit to be an id. */
export function executorId(text: string): ExecutorId {
  return id(text);
}

/** @throws InvalidIdError when `text` is not fit to be an id. */
export function offerId(text: string): OfferId {
  return id(text);
}
