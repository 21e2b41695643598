import type { BatchFill, BatchRequest } from '@factory/contracts';
import { InvalidArgumentError, Option } from 'commander';
import { collect, integer } from './options.ts';

/** On which terms a batch is had, and in which named sizes. */
export interface TermOptions {
  readonly flavor?: readonly string[];
  readonly fill?: BatchFill;
  readonly deadline?: number;
  readonly lifetime?: number;
  readonly label?: readonly string[];
}

export function termOptions(): readonly Option[] {
  return [
    new Option(
      '--flavor <name>',
      'size by its name; with --total-vcpus repeatable, each allowed',
    ).argParser(collect),
    new Option(
      '--fill <policy>',
      'how much must be placed by the deadline, or all is released: all, bestEffort, or a number',
    ).argParser(parseFill),
    new Option('--deadline <seconds>', 'what is not placed by then is given up').argParser(
      integer(1),
    ),
    new Option('--lifetime <seconds>', 'the batch is deleted by itself then').argParser(
      integer(60),
    ),
    new Option('--label <key=value>', 'a label; repeatable').argParser(collect),
  ];
}

/** The terms, as a request says them. */
export function termsOf(options: TermOptions, isOfCores: boolean): Partial<BatchRequest> {
  const { flavor: names = [], fill, deadline, lifetime, label } = options;
  const [first] = names;
  return {
    ...(first === undefined ? {} : isOfCores ? { flavors: [...names] } : { flavor: first }),
    ...(fill === undefined ? {} : { fill }),
    ...(deadline === undefined ? {} : { deadlineSeconds: deadline }),
    ...(lifetime === undefined ? {} : { lifetimeSeconds: lifetime }),
    ...(label === undefined ? {} : { labels: labelsOf(label) }),
  };
}

function parseFill(text: string): BatchFill {
  if (text === 'all' || text === 'bestEffort') return text;
  const atLeast = Number(text);
  if (Number.isInteger(atLeast) && atLeast > 0) return { atLeast };
  throw new InvalidArgumentError('It should be all, bestEffort, or how many at least.');
}

function labelsOf(texts: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new InvalidArgumentError(`${text} should be key=value.`);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
