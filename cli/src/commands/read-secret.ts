import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Nothing was typed. */
export class NoSecretError extends Error {
  readonly code = 'FACTORY_ERR_NO_SECRET';
  constructor(what: string) {
    super(`${what} is missing: type it, or give it on standard input.`);
    this.name = 'NoSecretError';
  }
}

/**
 * One line of standard input, asked for without an echo where somebody types: what stands on a
 * command line can be seen by every user of the machine.
 * @throws NoSecretError when the line is empty
 */
export async function readSecret(what: string): Promise<string> {
  const { stdin, stderr } = process;
  const isTyped = stdin.isTTY === true;
  if (isTyped) stderr.write(`${what}: `);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: nowhere, terminal: isTyped });
  try {
    for await (const line of lines) {
      if (line !== '') return line;
      break;
    }
    throw new NoSecretError(what);
  } finally {
    lines.close();
    if (isTyped) stderr.write('\n');
  }
}
