import { InvalidArgumentError, Option } from 'commander';
import { OUTPUT_FORMATS } from '../output/format.ts';

/** The options do not go together, which only the command itself could see. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Parses a whole number of at least `min` and at most `max`. */
export function integer(min: number, max?: number): (text: string) => number {
  const bounds = max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min && value <= (max ?? value)) return value;
    throw new InvalidArgumentError(`It should be a whole number ${bounds}.`);
  };
}

/** The highest TCP port. */
export const PORT_MAX = 65_535;

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

export function dataOption(): Option {
  return new Option('--data <dir>', "the factory's data directory (default: .factory/)");
}

export function outputOption(): Option {
  return new Option('-o, --output <format>', 'how to print it')
    .choices(OUTPUT_FORMATS)
    .default('table');
}

export function timeoutOption(defaultSeconds: number): Option {
  return new Option('--timeout <seconds>', 'how long to wait')
    .argParser(integer(1))
    .default(defaultSeconds);
}
