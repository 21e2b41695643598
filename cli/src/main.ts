import { RemoteProblemError } from '@factory/runtime';
import { Command, CommanderError } from 'commander';
import pc from 'picocolors';
import { auditCommand } from './commands/audit.ts';
import { batchCommand } from './commands/batch.ts';
import { benchCommand } from './commands/bench.ts';
import { clusterCommand } from './commands/cluster.ts';
import { demoCommand } from './commands/demo.ts';
import { downCommand } from './commands/down.ts';
import { eventsCommand } from './commands/events.ts';
import { imageCommand } from './commands/image.ts';
import { keyCommand } from './commands/key.ts';
import { operationsCommand } from './commands/operation.ts';
import { UsageError } from './commands/options.ts';
import { projectCommand } from './commands/project.ts';
import { quotaCommand } from './commands/quota.ts';
import { simCommand } from './commands/sim.ts';
import { statusCommand } from './commands/status.ts';
import { subnetCommand } from './commands/subnet.ts';
import { testCommand } from './commands/test.ts';
import { upCommand } from './commands/up.ts';
import { usageCommand } from './commands/usage.ts';
import { userCommand } from './commands/user.ts';
import { vmCommand } from './commands/vm.ts';
import { volumeCommand } from './commands/volume.ts';
import { webhookCommand } from './commands/webhook.ts';

const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing is running.`;

const program = new Command('factory')
  .description(
    'Large batches of virtual machines from many datacenters, as if they were one computer.',
  )
  .showHelpAfterError('(see --help)')
  .addHelpText('after', EXIT_CODES)
  .exitOverride();
const commands = [
  demoCommand(),
  upCommand(),
  downCommand(),
  statusCommand(),
  batchCommand(),
  vmCommand(),
  volumeCommand(),
  quotaCommand(),
  operationsCommand(),
  imageCommand(),
  subnetCommand(),
  eventsCommand(),
  usageCommand(),
  webhookCommand(),
  clusterCommand(),
  projectCommand(),
  keyCommand(),
  userCommand(),
  auditCommand(),
  testCommand(),
  benchCommand(),
  simCommand(),
];
for (const command of commands) program.addCommand(command);
overrideExits(program);

/** Every command throws instead of ending the process, so that this is the one place that does. */
function overrideExits(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExits(child);
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong, in words for people; gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof RemoteProblemError) {
    const field = error.field === undefined ? '' : ` (${error.field})`;
    console.error(`${pc.red('Error')}${field}: ${error.detail} ${pc.dim(`[${error.code}]`)}`);
    return 1;
  }
  const message = error instanceof Error ? error.message : String(error);
  console.error(`${pc.red('Error')}: ${message}`);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof UsageError) return 2;
  return code === 'FACTORY_ERR_NOT_RUNNING' ? 3 : 1;
}
