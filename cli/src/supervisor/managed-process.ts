import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Clock, type HttpTransport, sleep, type Timer } from '@factory/runtime';
import type { ProcessSpec } from './process-plan.ts';

const RESTART_BASE_MS = 200;
const RESTART_MAX_MS = 10_000;
/** A process that ran this long is healthy: its next restart is quick again. */
const HEALTHY_AFTER_MS = 30_000;
const STOP_GRACE_MS = 12_000;
const READY_POLL_MS = 50;

export interface ManagedProcessOptions {
  readonly clock: Clock;
  readonly transport: HttpTransport;
  readonly root: string;
  readonly logDirectory: string;
  /** Told when it starts (again) or ends. */
  readonly onChange: () => void;
}

/** One process that is kept running until it is stopped; its output goes to a log file. */
export class ManagedProcess {
  readonly spec: ProcessSpec;
  readonly #options: ManagedProcessOptions;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #startedAtMs = 0;
  #isStopping = false;
  #restartTimer: Timer | undefined;
  restarts = 0;

  constructor(spec: ProcessSpec, options: ManagedProcessOptions) {
    this.spec = spec;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get logFile(): string {
    return join(this.#options.logDirectory, `${this.spec.name.replaceAll('/', '-')}.log`);
  }

  /** Starts it; one that has been stopped stays stopped. */
  start(): void {
    if (this.#isStopping) return;
    const { root, clock } = this.#options;
    mkdirSync(dirname(this.logFile), { recursive: true });
    const log = openSync(this.logFile, 'a', 0o600);
    const script = join(root, this.spec.script);
    const args = ['--disable-warning=ExperimentalWarning', ...profiling(), script];
    args.push(...this.spec.args);
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...inheritedEnvironment(), ...this.spec.env },
      stdio: ['ignore', log, log],
      // Ctrl-C in a terminal goes to the whole group; the order of stopping is the supervisor's.
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    this.#startedAtMs = clock.monotonicMs();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    const onEnd = (): void => {
      if (this.#child !== child) return;
      this.#child = undefined;
      resolve();
      this.#options.onChange();
      if (!this.#isStopping) this.#restartLater();
    };
    child.once('exit', onEnd);
    child.once('error', onEnd);
    this.#options.onChange();
  }

  /** Asks it to end, and ends it by force after a grace period. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#restartTimer?.cancel();
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGTERM');
    const force = this.#options.clock.after(STOP_GRACE_MS, () => child.kill('SIGKILL'));
    await this.#exited;
    force.cancel();
  }

  /**
   * Resolves when its health check says ready.
   * @throws when that takes longer than `timeoutMs`, with where to look.
   */
  async waitUntilReady(timeoutMs: number): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    let last = 'it does not answer';
    while (clock.monotonicMs() < deadlineMs) {
      const state = await this.readiness();
      if (state === 'ready') return;
      if (this.#isStopping) throw new Error(`${this.spec.name} was stopped`);
      last = state;
      await sleep(clock, READY_POLL_MS);
    }
    throw new Error(`${this.spec.name} is not ready: ${last}. Its log: ${this.logFile}`);
  }

  /** `ready`, or why it is not. */
  async readiness(): Promise<string> {
    // Whoever answers on its port while it does not run is somebody else.
    if (this.#child === undefined) return 'it has ended';
    try {
      const url = this.spec.readyUrl;
      const answer = await this.#options.transport.request({
        method: 'GET',
        url,
        timeoutMs: 2_000,
      });
      if (answer.status === 200) return 'ready';
      const body: unknown = JSON.parse(Buffer.from(answer.body).toString('utf8'));
      return reasonsOf(body) ?? `answers ${answer.status}`;
    } catch {
      return 'it does not answer';
    }
  }

  #restartLater(): void {
    const { clock } = this.#options;
    const ranMs = clock.monotonicMs() - this.#startedAtMs;
    this.restarts = ranMs > HEALTHY_AFTER_MS ? 1 : this.restarts + 1;
    const delayMs = Math.min(RESTART_MAX_MS, RESTART_BASE_MS * 2 ** (this.restarts - 1));
    this.#restartTimer = clock.after(delayMs, () => this.start());
  }
}

function reasonsOf(body: unknown): string | undefined {
  const isReport = typeof body === 'object' && body !== null && 'reasons' in body;
  return isReport && Array.isArray(body.reasons) ? body.reasons.join(', ') : undefined;
}

/** What children need of our environment; nothing else leaks into them. */
/** With FACTORY_CPU_PROFILE_DIR each process leaves a CPU profile there when it ends. */
function profiling(): readonly string[] {
  const directory = process.env.FACTORY_CPU_PROFILE_DIR;
  return directory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${directory}`];
}

function inheritedEnvironment(): Record<string, string> {
  const names = [
    'PATH',
    'HOME',
    'LANG',
    'TZ',
    'NODE_COMPILE_CACHE',
    'FACTORY_LOG_LEVEL',
    'REDIS_URL',
    'FACTORY_RATE_LIMIT_PER_SECOND',
  ];
  const environment: Record<string, string> = {};
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}
