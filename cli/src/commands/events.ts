import type { Event } from '@factory/contracts';
import { Command, Option } from 'commander';
import { EventClient } from '../client/event-client.ts';
import { withClient } from './context.ts';
import { dataOption, integer } from './options.ts';

const EXAMPLES = `
Examples:
  ./factory events --follow
  ./factory events --after 1200 --types vm.stateChanged,batch.closed
  ./factory events --follow -o json | jq .data`;

interface EventsOptions {
  readonly data?: string;
  readonly follow?: boolean;
  readonly after?: number;
  readonly types?: string;
  readonly output: 'table' | 'json';
}

/** `./factory events` */
export function eventsCommand(): Command {
  return new Command('events')
    .description('what has changed, in order; with --follow, as it happens')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--after <number>', 'only what came after the event of this number', integer(0))
    .option('--types <types>', 'only these, with commas between, as in vm.stateChanged,vm.ready')
    .addOption(
      new Option('-o, --output <format>', 'json: one event a line')
        .choices(['table', 'json'])
        .default('table'),
    )
    .addOption(dataOption())
    .addHelpText('after', EXAMPLES)
    .action((options: EventsOptions) =>
      withClient(options, async ({ client, clock }) => {
        const events = new EventClient(client, clock);
        const found = options.follow === true ? events.follow(options) : events.list(options);
        for await (const event of found) {
          console.log(options.output === 'json' ? JSON.stringify(event) : eventLine(event));
        }
      }),
    );
}

/** One line for people. Pure. */
function eventLine({ number, at, type, subject, data }: Event): string {
  const { name, from, to, reason, message } = data;
  const change = to === undefined ? '' : `${from ?? '-'} → ${to}`;
  const why = [reason, message].filter((each) => typeof each === 'string').join(': ');
  const parts = [String(number).padStart(7), at, type.padEnd(18), subject, name, change, why];
  return parts.filter((part) => part !== undefined && part !== '').join('  ');
}
