import type { EventType, Webhook } from '@factory/contracts';
import { EVENT_TYPES } from '@factory/contracts';
import { Command, InvalidArgumentError } from 'commander';
import { WebhookClient } from '../client/webhook-client.ts';
import { formatList, type OutputFormat } from '../output/format.ts';
import { withClient } from './context.ts';
import { dataOption, outputOption } from './options.ts';

const EXAMPLES = `
Examples:
  ./factory webhook create ci https://ci.example.org/hook --types vm.ready,batch.closed
  ./factory webhook test ci
  ./factory webhook deliveries ci
  ./factory webhook enable ci`;

interface DataOptions {
  readonly data?: string;
}

/** `./factory webhook …` */
export function webhookCommand(): Command {
  const command = new Command('webhook')
    .description('URLs that are called when something happens')
    .addHelpText('after', EXAMPLES);
  command.addCommand(createCommand());
  command.addCommand(listCommand());
  command.addCommand(
    onWebhook('test', 'call it now', async (webhooks, webhook) => {
      const { status, error, durationMs } = await webhooks.test(webhook);
      console.log(`${webhook.name}: ${error ?? `status ${status}`} after ${durationMs} ms`);
    }),
  );
  command.addCommand(
    onWebhook('deliveries', 'what was sent lately, newest first', async (webhooks, webhook) => {
      for (const each of await webhooks.deliveries(webhook)) {
        const what = each.error ?? `status ${each.status}`;
        console.log(`${each.at}  ${each.firstEvent}-${each.lastEvent}  ${what}`);
      }
    }),
  );
  for (const [verb, state] of [
    ['enable', 'active'],
    ['disable', 'disabled'],
  ] as const) {
    command.addCommand(
      onWebhook(verb, `make it ${state}`, async (webhooks, webhook) => {
        const changed = await webhooks.change(webhook, { state });
        console.log(`${changed.name} is ${changed.state}`);
      }),
    );
  }
  command.addCommand(
    onWebhook('rotate-secret', 'sign with another secret from now on', async (webhooks, one) => {
      console.log((await webhooks.rotateSecret(one)).secret);
    }),
  );
  command.addCommand(
    onWebhook('delete', 'delete it', async (webhooks, webhook) => {
      await webhooks.delete(webhook);
      console.log(`${webhook.name} is deleted`);
    }),
  );
  return command;
}

function createCommand(): Command {
  return new Command('create')
    .description('have a URL called; prints the secret that calls are signed with, once')
    .argument('<name>')
    .argument('<url>')
    .option('--types <types>', 'only these, with commas between; default: all', readTypes)
    .addOption(dataOption())
    .action((name: string, url: string, options: DataOptions & { readonly types?: EventType[] }) =>
      withClient(options, async ({ client }) => {
        const { types = [] } = options;
        const { secret } = await new WebhookClient(client).create({ name, url, types });
        console.log(secret);
      }),
    );
}

function listCommand(): Command {
  return new Command('list')
    .description('list the webhooks')
    .addOption(outputOption())
    .addOption(dataOption())
    .action((options: DataOptions & { readonly output: OutputFormat }) =>
      withClient(options, async ({ client }) => {
        const webhooks = await new WebhookClient(client).list();
        const empty = 'No webhooks. See: ./factory webhook --help';
        console.log(formatList(webhooks, COLUMNS, options.output, empty));
      }),
    );
}

const COLUMNS = [
  { head: 'NAME', cell: (webhook: Webhook) => webhook.name },
  { head: 'STATE', cell: (webhook: Webhook) => webhook.state },
  { head: 'DELIVERED', cell: (webhook: Webhook) => String(webhook.delivered) },
  { head: 'URL', cell: (webhook: Webhook) => webhook.url },
  { head: 'REASON', cell: (webhook: Webhook) => webhook.reason ?? '' },
];

function onWebhook(
  verb: string,
  description: string,
  act: (webhooks: WebhookClient, webhook: Webhook) => Promise<void>,
): Command {
  return new Command(verb)
    .description(description)
    .argument('<webhook>', 'name or id')
    .addOption(dataOption())
    .action((nameOrId: string, options: DataOptions) =>
      withClient(options, async ({ client }) => {
        const webhooks = new WebhookClient(client);
        await act(webhooks, await webhooks.find(nameOrId));
      }),
    );
}

function readTypes(text: string): EventType[] {
  return text.split(',').map((each) => {
    const type = EVENT_TYPES.find((known) => known === each);
    if (type !== undefined) return type;
    throw new InvalidArgumentError(`There are: ${EVENT_TYPES.join(', ')}.`);
  });
}
