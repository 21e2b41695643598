import type { Operation } from '@factory/contracts';
import { type Clock, sleep } from '@factory/runtime';
import { Command } from 'commander';
import type { FactoryClient } from '../client/factory-client.ts';
import { createProgress, type Progress } from '../output/progress.ts';
import type { ClientContext } from './context.ts';
import { dataOption, timeoutOption } from './options.ts';
import { WaitError } from './wait.ts';

const POLL_MS = 250;

/** What all such commands know. */
export interface OperationOptions {
  readonly data?: string;
  readonly timeout: number;
}

/** A command that begins an operation and waits for its end. */
export function operationCommand(verb: string, description: string, timeoutS: number): Command {
  return new Command(verb)
    .description(description)
    .addOption(timeoutOption(timeoutS))
    .addOption(dataOption());
}

/** Begins an operation and waits for its end. @throws WaitError with why it failed. */
export async function runOperation(
  context: ClientContext,
  options: OperationOptions,
  name: string,
  verb: string,
  params: object,
  onBegun: (operation: Operation) => void = () => undefined,
): Promise<Operation> {
  const { client } = context;
  const vm = await client.findVm(name);
  const started = await client.operateOnVm(vm.id, verb, params);
  onBegun(started);
  return untilEnded(context, options, started, `${vm.name}: ${verb}`);
}

/** Waits for an operation's end; `what` says to people what it is. @throws WaitError as above. */
export function untilEnded(
  { client, clock }: ClientContext,
  { timeout }: OperationOptions,
  started: Operation,
  what: string,
): Promise<Operation> {
  const progress = createProgress(clock);
  return waitForOperation(client, clock, { started, what, progress, timeoutMs: timeout * 1000 });
}

async function waitForOperation(
  client: FactoryClient,
  clock: Clock,
  wait: {
    readonly started: Operation;
    /** In words, for people. */
    readonly what: string;
    readonly progress: Progress;
    readonly timeoutMs: number;
  },
): Promise<Operation> {
  const { started, what, progress, timeoutMs } = wait;
  const startedAtMs = clock.monotonicMs();
  for (;;) {
    const operation = await client.operation(started.id);
    if (operation.state === 'succeeded') {
      progress.done(`${what}: done`);
      return operation;
    }
    const isLate = clock.monotonicMs() - startedAtMs > timeoutMs;
    if (operation.state === 'failed' || isLate) {
      progress.end();
      const why = isLate
        ? `not done after ${timeoutMs / 1000} s; it goes on: ./factory operation show ${started.id}`
        : operation.message;
      throw new WaitError(`${what}: ${why}`);
    }
    progress.step(`${what}: ${describeProgress(operation)}`);
    await sleep(clock, POLL_MS);
  }
}

function describeProgress({ progress }: Operation): string {
  if (progress === null) return 'under way';
  return progress.percent === null ? progress.stage : `${progress.stage} ${progress.percent} %`;
}
