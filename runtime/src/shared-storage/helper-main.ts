import { createInterface } from 'node:readline';
import { operations } from './operations.ts';
import type { HelperRequest, HelperWord } from './protocol.ts';

/**
 * The process of a storage helper: requests on stdin, words on stdout, one JSON object a line. It is
 * the leader of a process group of its own, in which it ends when its parent does.
 */
function say(word: HelperWord): void {
  process.stdout.write(`${JSON.stringify(word)}\n`);
}

async function answer(line: string): Promise<void> {
  try {
    const request: HelperRequest = JSON.parse(line);
    // The table's functions take what protocol.ts says of the name; the parent's types see to it.
    const operation = operations[request.name] as (
      params: unknown,
      onProgress: (progress: { doneBytes: number; totalBytes: number }) => void,
    ) => Promise<unknown>;
    say({
      kind: 'result',
      value: await operation(request.params, (progress) => say({ kind: 'progress', progress })),
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    say({ kind: 'error', code: codeOf(error), message });
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'FACTORY_ERR_STORAGE';
}

createInterface({ input: process.stdin })
  .on('line', (line) => void answer(line))
  .once('close', () => {
    // Nobody listens any more; what was started here must not go on either.
    process.kill(-process.pid, 'SIGKILL');
  });
process.stdout.on('error', () => process.exit(1));
