#!/usr/bin/env node
import { join } from 'node:path';

/**
 * `mesos-core master …` and `mesos-core agent …`: the process becomes that program, with the options
 * of Node that suit it, so that its process id is the one that was started.
 */

const USAGE = `usage: mesos-core master [flags]
       mesos-core agent [flags]

Flags have Mesos' names; \`mesos-core master --help\` lists them.
`;

const QUIET = '--disable-warning=ExperimentalWarning';

/**
 * Of a master that launches thousands of tasks a second much stays alive: copying it out of a nursery
 * of Node's usual 16 MiB takes 20 to 46 ms at a time with 5,000 agents, out of this one at most 14,
 * and the master needs 90 MiB less.
 */
const NODE_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['master', [QUIET, '--max-semi-space-size=8']],
  ['agent', [QUIET]],
]);

const [command = '', ...flags] = process.argv.slice(2);
const options = NODE_OPTIONS.get(command);
const main = join(import.meta.dirname, `../src/${command}/main.ts`);
if (command === '--help' || command === 'help') {
  process.stdout.write(USAGE);
} else if (options === undefined) {
  process.stderr.write(
    command === '' ? USAGE : `mesos-core: no such command: ${command}\n${USAGE}`,
  );
  process.exitCode = 2;
} else if (process.execve === undefined) {
  process.stderr.write(`mesos-core: needs Node 24 or newer; this is ${process.version}\n`);
  process.exitCode = 1;
} else {
  process.execve(process.execPath, [process.execPath, ...options, main, ...flags], process.env);
}
