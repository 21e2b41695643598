import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { HelperRequest, HelperWord } from './protocol.ts';

const SCRIPT = join(import.meta.dirname, 'helper-main.ts');
/** It holds a buffer of a mebibyte and its own code. */
const HEAP_MIB_MAX = 64;

/** What a helper's process tells of. */
export interface HelperListener {
  onWord(word: HelperWord): void;
  onExit(): void;
}

/** A running helper. */
export class HelperProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #listener: HelperListener | undefined;

  /** `onGone` is called once, when the process has ended (or could not be started). */
  constructor(onGone: () => void) {
    const args = [`--max-old-space-size=${HEAP_MIB_MAX}`, '--no-warnings', SCRIPT];
    this.#child = spawn(process.execPath, args, {
      // Not our stderr: whoever reads its end would wait for a helper that can not be ended.
      stdio: ['pipe', 'pipe', 'ignore'],
      // A group of its own: what it starts is killed with it.
      detached: true,
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin' },
    });
    let isGone = false;
    const gone = (): void => {
      if (isGone) return;
      isGone = true;
      onGone();
      this.#listener?.onExit();
    };
    this.#child.once('exit', gone).once('error', gone);
    // A helper that died: its exit says so.
    this.#child.stdin.on('error', () => undefined);
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#listener?.onWord(JSON.parse(line));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Begins a piece of work; `listener` hears of it until the next. */
  send(request: HelperRequest, listener: HelperListener): void {
    this.#listener = listener;
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
  }

  /** Work under way fails; the process ends when it can, and nobody waits for that. */
  abandon(kill: (processGroup: number) => void): void {
    this.#listener?.onExit();
    this.#listener = undefined;
    if (this.pid !== undefined) kill(this.pid);
    this.#child.stdin.destroy();
    this.#child.stdout.destroy();
    this.#child.unref();
  }
}
