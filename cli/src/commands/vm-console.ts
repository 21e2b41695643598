import { createWebSocketDialer } from '@factory/runtime';
import { Command, Option } from 'commander';
import pc from 'picocolors';
import { forwardPort } from '../console/forward.ts';
import { attachTerminal } from '../console/terminal.ts';
import { type ClientContext, withClient } from './context.ts';
import { dataOption, integer, PORT_MAX } from './options.ts';

interface ConsoleOptions {
  readonly data?: string;
  readonly vnc?: true;
  readonly port: number;
}

/** `./factory vm console …` */
export function consoleCommand(): Command {
  return new Command('console')
    .description("use a running machine's serial console, or its screen")
    .argument('<vm>', 'name or id')
    .option('--vnc', 'its screen instead: opens a port of this machine for a VNC viewer')
    .addOption(
      new Option('--port <port>', 'with --vnc: which port; by default a free one')
        .argParser(integer(1, PORT_MAX))
        .default(0, 'a free one'),
    )
    .addOption(dataOption())
    .addHelpText(
      'after',
      '\nExamples:\n  ./factory vm console farm-1          (Ctrl-] leaves)\n' +
        '  ./factory vm console farm-1 --vnc    (then: vncviewer 127.0.0.1::PORT)',
    )
    .action(async (name: string, options: ConsoleOptions) => {
      await withClient(options, (context) =>
        options.vnc === true ? showScreen(name, options.port, context) : talk(name, context),
      );
    });
}

async function talk(name: string, { client, clock }: ClientContext): Promise<void> {
  const vm = await client.findVm(name);
  const channel = await client.openConsole(vm.id, 'serial', createWebSocketDialer(clock));
  const hint = process.stdin.isTTY ? 'Ctrl-] leaves; Enter shows a prompt.' : '';
  console.error(pc.dim(`Serial console of ${vm.name}. ${hint}`));
  const end = await attachTerminal(
    channel,
    { input: process.stdin, output: process.stdout },
    clock,
  );
  if (end.code === 1000) console.error(pc.dim(`\nLeft the console of ${vm.name}.`));
  else throw new Error(`The console ended: ${end.reason}`);
}

async function showScreen(
  name: string,
  port: number,
  { client, clock }: ClientContext,
): Promise<void> {
  const vm = await client.findVm(name);
  const dialer = createWebSocketDialer(clock);
  const forwarded = await forwardPort({
    ...{ clock, port },
    open: () => client.openConsole(vm.id, 'vnc', dialer),
    onRefused: (why) => console.error(`${pc.red('Error')}: the screen was closed: ${why}`),
  });
  console.log(`127.0.0.1:${forwarded.port}`);
  const viewer = `vncviewer 127.0.0.1::${forwarded.port}`;
  console.error(pc.dim(`The screen of ${vm.name} is at this address, e.g.: ${viewer}`));
  console.error(pc.dim('Ctrl-C ends.'));
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
  await forwarded.close();
}
